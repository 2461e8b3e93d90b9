/** What an adapter's test supplies, what the suite makes of it for each test, and how the tests read a store. */
import {
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type BatchStore,
  cryptoReady,
  type DeviceId,
  type PageLimit,
  startCursor,
} from '@driftlog/core'
import { afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { makeTestDevice, type TestDevice } from '../test-batches.ts'

/** One medium (a file, a database) with an open store on it. */
export interface StoreUnderTest {
  readonly store: BatchStore
  /** Closes the last store that was opened and opens another one on the same medium. */
  reopen(): Promise<BatchStore>
  /** Another store on the same medium beside those that are open, as another process or tab would open it. */
  another?(): Promise<BatchStore>
  /** Ends the last store as a kill does, without a close, and opens another one on the same medium. */
  crash?(): Promise<BatchStore>
  /** Changes the bytes of the batch at a position, behind the back of all that is open. */
  damage?(space: string, position: number): Promise<void>
  /** Closes what is open and removes the medium. */
  dispose(): Promise<void>
}

/** Which of its optional functions a setup gives. Tests are registered before a setup runs, so it must be said. */
export type Abilities = Readonly<Record<'another' | 'crash' | 'damage', boolean>>

/** What a test works on: a fresh medium, the store that is open on it, and two devices that write. */
interface Bench {
  readonly medium: StoreUnderTest
  readonly store: BatchStore
  readonly ann: TestDevice
  readonly bob: TestDevice
}

/** The bench of the test that runs. */
export type UseBench = () => Bench

export const space = 'home'

/** Lays out a bench for every test of the suite around it. */
export const useBench = (setup: () => Promise<StoreUnderTest>, abilities: Abilities): UseBench => {
  let devices: Pick<Bench, 'ann' | 'bob'>
  let bench: Bench

  beforeAll(async () => {
    await cryptoReady()
    devices = { ann: makeTestDevice(space, 'ann'), bob: makeTestDevice(space, 'bob') }
  })
  beforeEach(async () => {
    const medium = await setup()
    bench = { medium, store: medium.store, ...devices }
    // Or tests that the setup could run would be missing without a word.
    const given: Abilities = {
      another: medium.another !== undefined,
      crash: medium.crash !== undefined,
      damage: medium.damage !== undefined,
    }
    expect(given, 'what the setup gives must be what is said of it').toEqual(abilities)
  })
  afterEach(() => bench.medium.dispose())

  return () => bench
}

export const wide: PageLimit = { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER }
export const text = new TextEncoder()
export const bytesOf = (page: BatchPage): Uint8Array[] => page.batches.map(({ batch }) => batch.bytes)
export const plain = (batches: readonly Batch[]): Uint8Array[] => batches.map(({ bytes }) => bytes)
export const repeated = (count: number, length: number): number[] => Array.from({ length: count }, () => length)
export const kinds = (outcomes: readonly AppendOutcome[]): string[] => outcomes.map(({ kind }) => kind)
export const positions = (outcomes: readonly AppendOutcome[]): number[] =>
  outcomes.flatMap((outcome) => (outcome.kind === 'appended' ? [outcome.position] : []))

export const appended = (position: number, branch: DeviceId, isSplit = false): AppendOutcome => ({
  kind: 'appended',
  position,
  branch,
  isSplit,
})

/** Everything a space answers: two equal snapshots mean that nothing changed. */
export const snapshot = async (store: BatchStore, space: string) => {
  const vector = await store.vector(space)
  const tips = await store.tips(space)
  const page = await store.readAfter(space, startCursor, wide)
  const batches = page.batches.map(({ batch, position, branch }) => [position, branch, batch.bytes] as const)
  const devices = new Set(page.batches.map(({ batch }) => batch.header.device))
  const certificates = await Promise.all([...devices].map((device) => store.certificate(space, device)))
  const records = await store.records(space, '')
  return { vector, tips, batches, certificates, records, end: await store.end(space) }
}

export const unchangedBy = async (store: BatchStore, act: () => Promise<unknown>): Promise<void> => {
  const before = await snapshot(store, space)
  await act()
  expect(await snapshot(store, space)).toEqual(before)
}
