/** Reads a whole store, and the base that it goes on from, into a new log. */
import {
  type Cursor,
  type DeviceId,
  type Keyring,
  type Members,
  OpLog,
  Projector,
  openBase,
  type QuarantiningStore,
  startCursor,
  type StoredBatch,
} from '@driftlog/core'
import { loadBase } from './stored-base.ts'

export const LOAD_PAGE = { batches: 500, bytes: 8_000_000 }

export interface ReadLog {
  readonly log: OpLog
  readonly projector: Projector
  /** Everything up to it is in the log. */
  readonly end: Cursor
}

/** `projector`: one that has projected nothing yet. */
export const readStore = async (
  store: QuarantiningStore,
  keyring: Keyring,
  members?: Members,
  projector = new Projector(),
): Promise<ReadLog> => {
  const { space } = keyring
  const base = await loadBase(store, keyring)
  const log =
    base === undefined
      ? new OpLog(keyring, projector, members)
      : openBase(base.bytes, keyring, { digest: base.outline.digest, members, projector }).log
  const { stored, end } = await readAll(store, space)
  // The shifts first: what they concern was stored before them.
  for (const { batch } of stored) log.addShifts(batch.header.shifts)
  for (const { batch, branch } of stored) log.receive(log.open(batch), branch)
  return { log, projector, end }
}

const readAll = async (store: QuarantiningStore, space: string): Promise<{ stored: StoredBatch[]; end: Cursor }> => {
  let isSteady: boolean
  const stop = store.onDamage(() => {
    isSteady = false
  })
  try {
    for (;;) {
      isSteady = true
      const stored: StoredBatch[] = []
      let end = startCursor
      for (let more = true; more; ) {
        const page = await store.readAfter(space, end, LOAD_PAGE)
        stored.push(...page.batches)
        end = page.cursor
        more = page.more
      }
      // What came before damage that was met on the way may bear names that it changed (LOG5).
      if (isSteady) return { stored, end }
    }
  } finally {
    stop()
  }
}

/**
 * Whether a device must not write any more (BR3): it is written elsewhere too, or its stamps were shifted, so that those it
 * would make now stand still; or damage hides something that it wrote, or that it saw when it wrote (KEEP6).
 */
export const mustNotWrite = async (
  store: QuarantiningStore,
  space: string,
  { log, projector }: ReadLog,
  device: DeviceId,
): Promise<boolean> => {
  if (log.branchesOf(device).some((branch) => branch !== device) || projector.shiftOf(device) > 0) return true
  if (store.damaged(space).length === 0) return false
  return log.heldSeq(device) !== (projector.projected.get(device) ?? 0) || (await store.hides(space, device))
}
