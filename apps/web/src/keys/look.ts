/** What there is of a space, here and at the server, as far as it can be told without a key. */
import { openReplica, type SpaceKey, type Transport } from '@driftlog/client'
import { type BatchStore, DriftlogError, memoryStore } from '@driftlog/core'
import { schema } from '../data/schema.ts'

export interface Sight {
  /** It holds something that is encrypted. */
  readonly isBegun: boolean
  /** It was begun by a version of this app that did not encrypt: nothing that it holds is encrypted. */
  readonly isPlain: boolean
  /** The server told all that it holds. */
  readonly isWhole: boolean
  /** The server tells nothing: the space has members, and this is none of theirs; or it has others than those known here. */
  readonly refusal: 'NOT_A_MEMBER' | 'MEMBERS_FORKED' | undefined
  /** Changes here that the server may lack. */
  readonly unsent: number
  /** Some of what is held, to try keys on. */
  readonly sample: readonly Uint8Array[]
}

export interface LookOptions {
  readonly space: string
  readonly store: BatchStore
  readonly transport: Transport
  readonly online: boolean
  /** How long to wait for the server. */
  readonly patienceMs: number
}

const SAMPLE = { batches: 50, bytes: 2_000_000 }
const PLAIN: Sight = { isBegun: false, isPlain: true, isWhole: false, refusal: undefined, unsent: 0, sample: [] }

/** What came in meanwhile stays in the store, for when there is a key. */
export const lookAt = async ({ space, store, transport, online, patienceMs }: LookOptions): Promise<Sight> => {
  const replica = await openReplica({ schema, space, key: 'locked', store, transport, online }).catch(ifPlain)
  if (replica === undefined) return PLAIN
  try {
    const answer = online ? await within(patienceMs, replica.sync()) : undefined
    // Whatever is held is encrypted. Beside it, what is not was pushed by somebody who lacks the key, and shuts nobody out.
    const isBegun = replica.held().size > 0
    if (answer === 'KEY_WRONG' && !isBegun) return PLAIN
    const { batches } = await store.readAbove(space, new Map(), SAMPLE)
    return {
      isBegun,
      isPlain: false,
      isWhole: answer === 'done',
      refusal: answer === 'NOT_A_MEMBER' || answer === 'MEMBERS_FORKED' ? answer : undefined,
      unsent: replica.status.pending,
      sample: batches.map(({ batch }) => batch.bytes),
    }
  } finally {
    await replica.close()
  }
}

const ifPlain = (error: unknown): undefined => {
  if (!(error instanceof DriftlogError && error.code === 'KEY_WRONG')) throw error
}

/** 'done', the code of what stands in the way, or undefined where it takes too long. */
const within = async (patienceMs: number, work: Promise<void>): Promise<string | undefined> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs)
  })
  const done = work.then(
    () => 'done',
    (error: unknown) => (error instanceof DriftlogError ? error.code : 'failed'),
  )
  try {
    return await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether a key is one of those that the space is written with. Where nothing is held any key may be. */
export const opens = async (key: SpaceKey, space: string, { sample }: Sight): Promise<boolean> => {
  if (sample.length === 0) return true
  const replica = await openReplica({ schema, space, key, store: memoryStore() })
  try {
    // A clock that is off is no reason to take the key for a wrong one.
    await replica.import(sample, { trustStamps: true })
    return replica.held().size > 0
  } finally {
    await replica.close()
  }
}
