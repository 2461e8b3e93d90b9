import {
  assembleBatch,
  BATCH_FORMAT,
  type Batch,
  chainStart,
  chainTag,
  cryptoReady,
  type DeviceId,
  Keyring,
  encodeHeader,
  encodeShifts,
  fingerprint,
  hlcFromMs,
  Law,
  makeCertificate,
  memoryStore,
  OpLog,
  Projector,
  quarantining,
  type Shift,
  signBatch,
  signingKeysFromSeed,
  startCursor,
  systemPorts,
  tagKey,
  type Timers,
  UNENCRYPTED_EPOCH_KEY,
  Writer,
} from '@driftlog/core'
import { beforeAll, expect, it } from 'vitest'
import { ReplicaState } from '../state/replica-state.ts'
import { plainRecords } from '../keys/record-cipher.ts'
import { acknowledgedRecord } from './bookmarks.ts'
import { renewIdentity } from './identity.ts'
import { Keeper } from './keeper.ts'

beforeAll(cryptoReady)

const SPACE = 'home'
const identityOf = (seed: number) => {
  const keys = signingKeysFromSeed(new Uint8Array(32).fill(seed))
  const device = fingerprint(keys.publicKey)
  return { space: SPACE, device, keys, certificate: makeCertificate(SPACE, keys.publicKey, keys) }
}

const { random } = systemPorts

const open = (inner = memoryStore(), seed = 1, timers: Timers = systemPorts.timers) => {
  const projector = new Projector()
  const log = new OpLog(Keyring.unencrypted(SPACE), projector)
  const state = new ReplicaState({ log, projector, writer: new Writer(identityOf(seed), log, projector, 0, random) })
  const store = quarantining(inner)
  const renew = (givenUp: DeviceId) => renewIdentity({ store, space: SPACE, records: plainRecords, random }, 0, givenUp)
  const keeper = new Keeper({ store, space: SPACE, timers, random, state, read: startCursor, renew })
  keeper.begin()
  return { keeper, log, state, store }
}

/** Signed by its device, and nothing that decodes. */
const undecodable = (seed: number, fromSeq: number, shifts: readonly Shift[] = []): Batch => {
  const { keys, certificate, ...names } = identityOf(seed)
  const start = chainTag(
    chainStart(SPACE, certificate, encodeShifts(shifts)),
    tagKey(UNENCRYPTED_EPOCH_KEY, SPACE, names.device),
  )
  const header = encodeHeader({
    ...names,
    format: BATCH_FORMAT,
    fromSeq,
    toSeq: fromSeq,
    coarseMaxHlc: Math.ceil(hlcFromMs(Date.UTC(2026, 0, 1)) / 2 ** 22),
    keyEpoch: 0,
    flags: 0,
    tagBefore: fromSeq === 1 ? start : new Uint8Array(16).fill(fromSeq - 1),
    tagAfter: new Uint8Array(16).fill(fromSeq),
    innerEnds: [],
    shifts,
    certificate: fromSeq === 1 ? certificate : undefined,
  })
  const body = Uint8Array.of(1, 2, 3)
  return assembleBatch(header, body, signBatch(header, body, keys))
}

const shape = { table: 'notes', path: ['text'], law: Law.set }

const write = ({ writer }: ReplicaState, value: string): void => {
  writer.write(
    [{ rowId: value, handle: undefined, shapes: [shape], values: [value], over: undefined }],
    writer.nextStamp(Date.UTC(2026, 0, 1)),
    1,
  )
}

it('[ENV5] what a member signed that does not decode ends that device here, and is no gap that holds up the others', async () => {
  const { keeper, log } = open()
  const cursor = { position: 7, tag: new Uint8Array(16) }
  const bad = identityOf(2).device
  expect(await keeper.ingest([undecodable(2, 1)], cursor)).toMatchObject({
    refused: [{ device: bad, code: 'MALFORMED' }],
  })
  // Its certificate is not held, so a later batch cannot even be checked: the delivery brings it again, by vector.
  expect(await keeper.ingest([undecodable(2, 1), undecodable(2, 2)], cursor)).toMatchObject({
    refused: [{ device: bad, code: 'MALFORMED' }],
  })
  expect(log.heldSeq(bad)).toBe(0)
  await keeper.close()
})

it('[SYNC9, seed 150] later batches of a device of which nothing is held are a gap: the first one is asked for', async () => {
  const { keeper } = open()
  const cursor = { position: 7, tag: new Uint8Array(16) }
  const { device } = identityOf(3)
  expect(await keeper.ingest([undecodable(3, 2)], cursor)).toMatchObject({ refused: [{ device, code: 'GAP' }] })
  await keeper.close()
})

it('[ENV5 BR2] what states shifts is kept whatever its body is, and whatever else came of its device', async () => {
  const { keeper, log } = open()
  const bad = identityOf(2).device
  const shift = { device: identityOf(3).device, base: 0, firstTag: new Uint8Array(16).fill(9), shift: 77, floor: 0 }
  const delivered = [undecodable(2, 1), undecodable(2, 1, [shift])]
  expect(await keeper.ingest(delivered, undefined)).toMatchObject({ refused: [{ device: bad, code: 'MALFORMED' }] })
  expect(log.heldSeq(bad)).toBe(1)
  expect(log.backlog()).toMatchObject({ parked: 0, unopenable: 1 })
  expect(log.shiftOf(shift.device, shift)).toBe(77)
})

it('[STORE8 SYNC2] what begins below what was pruned is refused by name, and holds up the cursor and nothing else', async () => {
  const { keeper, store } = open()
  const [ann, bob] = [open(memoryStore(), 2).state, open(memoryStore(), 3).state]
  write(ann, 'one')
  const [pruned] = ann.writer.seal()
  write(bob, 'two')
  const others = bob.writer.seal()
  await keeper.ingest([pruned], undefined)
  const { device, toSeq: seq, tagAfter: tag } = pruned.header
  await store.prune(SPACE, [{ branch: device, seq, tag }])
  const cursor = { position: 7, tag: new Uint8Array(16) }
  expect(await keeper.ingest([pruned, ...others], cursor)).toMatchObject({
    refused: [{ branch: device, device, code: 'BELOW_BASE', details: { floor: 1 } }],
    taken: [{ branch: identityOf(3).device, toSeq: 1 }],
  })
  expect(await store.records(SPACE, 'cursor')).toEqual([])
  await keeper.close()
})

it('[BR3] with a device that is given up the store forgets what it kept for it, whatever was written meanwhile', async () => {
  const inner = memoryStore()
  const { keeper, state } = open(inner)
  const { device } = identityOf(1)
  write(state, 'first')
  keeper.keep(acknowledgedRecord(device, new Map([[device, 1]])))
  await keeper.settled()
  const other = acknowledgedRecord(identityOf(2).device, new Map())
  await inner.append(SPACE, [], { records: [other] })
  const { readAfter } = inner
  let isReading = false
  inner.readAfter = async (...args) => {
    if (isReading) write(state, 'meanwhile')
    isReading = false
    return readAfter.apply(inner, args)
  }
  const hlc = state.writer.highest
  await keeper.stateShifts(() => {
    isReading = true
    keeper.keep(acknowledgedRecord(device, new Map([[device, 2]])))
    return {
      hlc,
      shifts: [{ device, base: 0, firstTag: state.log.tagAt(device, 1)!, shift: 1, floor: 0 }],
      records: [],
    }
  })
  await keeper.settled()
  const now = state.writer.identity.device
  expect([now === device, state.log.heldSeq(device), keeper.unsavedCount]).toEqual([false, 2, 0])
  const keys = (await inner.records(SPACE, '')).map(({ key }) => key)
  expect(keys).toEqual([other.key, `clock/${now}`, 'installation', 'slot/0'])
  await keeper.close()
})

it('[BR1 BR3] what was written under the own id while its other history was read is stored before names are given', async () => {
  const inner = memoryStore()
  const [here, elsewhere] = [open(inner), open()]
  for (const value of ['one', 'two']) write(elsewhere.state, value)
  const { device } = identityOf(1)
  const { readAfter } = inner
  let isFirst = true
  inner.readAfter = async (...args) => {
    const page = await readAfter.apply(inner, args)
    if (isFirst && page.batches.length > 0) {
      isFirst = false
      write(here.state, 'meanwhile')
      here.keeper.scheduleFlush()
    }
    return page
  }
  await here.keeper.ingest(elsewhere.state.writer.seal(), undefined)
  const ends = here.state.log.branchesOf(device).map((name) => here.state.log.branch(name)?.seq)
  expect(new Set(ends)).toEqual(new Set([1, 2]))
  await here.keeper.settled()
  expect(here.state.log.held()).toEqual(await inner.vector(SPACE))
  expect(here.state.writer.identity.device).not.toBe(device)
  await here.keeper.close()
  await elsewhere.keeper.close()
})

it('[KEEP5 BR3] what comes to light when work is stored is acted upon before it is called settled', async () => {
  // Nobody is told of what others store.
  const inner = Object.assign(memoryStore(), { watch: () => () => undefined })
  const [here, elsewhere] = [open(inner), open()]
  await Promise.all([here.keeper.settled(), elsewhere.keeper.settled()])
  write(here.state, 'here')
  write(elsewhere.state, 'elsewhere')
  const { device } = identityOf(1)
  await inner.append(SPACE, elsewhere.state.writer.seal())
  await here.keeper.settled()
  expect(here.state.writer.identity.device).not.toBe(device)
  expect(here.state.log.branchesOf(device)).toHaveLength(2)
  await here.keeper.close()
  await elsewhere.keeper.close()
})

it('own ops gather for a while where others write much, and are stored at once where they do not or somebody waits', async () => {
  const pending = new Map<() => void, number>()
  const timers: Timers = {
    schedule(delayMs, run) {
      pending.set(run, delayMs)
      return () => void pending.delete(run)
    },
  }
  const pass = (wantedMs: number): void => {
    for (const [run, delayMs] of Array.from(pending)) {
      if (delayMs !== wantedMs || !pending.delete(run)) continue
      run()
    }
  }
  const { keeper, state, store } = open(memoryStore(), 1, timers)
  const other = open(memoryStore(), 2).state
  const bring = async (ops: number): Promise<void> => {
    for (let op = 0; op < ops; op++) write(other, `${other.writer.nextStamp(0)}`)
    await keeper.ingest(other.writer.seal(), undefined)
  }
  const stored = async (): Promise<number> => {
    await keeper.caughtUp()
    return (await store.vector(SPACE)).get(identityOf(1).device) ?? 0
  }
  const storedAfter = async (text: string): Promise<number> => {
    write(state, text)
    keeper.scheduleFlush()
    pass(0)
    return stored()
  }
  await bring(15)
  expect(await storedAfter('quiet')).toBe(1)
  await bring(1)
  expect(await storedAfter('busy')).toBe(1)
  // An answer of the server does not end it.
  keeper.isPushing = true
  keeper.isPushing = false
  expect(await storedAfter('busy still')).toBe(1)
  keeper.flushNow()
  expect(await stored()).toBe(3)
  // What has gathered is stored in any case, and when the windows have passed it is quiet.
  expect(await storedAfter('busy again')).toBe(3)
  pass(100)
  expect(await stored()).toBe(4)
  pass(100)
  expect(await storedAfter('quiet again')).toBe(5)
  expect(pending.size).toBe(0)
  await keeper.close()
})
