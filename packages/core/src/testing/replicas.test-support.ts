/**
 * Replicas for the tests of the log: honest ones, that write through the Writer, and forgers, that sign whatever they are
 * told to. Both are functions of a number, so that a failing test replays.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import { chainNext, chainStart } from '../crypto/chain.ts'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { Keyring } from '../crypto/keyring.ts'
import { hash, type SigningKeys, signingKeysFromSeed } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, decodeBatch } from '../log/batch.ts'
import { ChainIndex, type Members } from '../log/chain-index.ts'
import { OpLog } from '../log/op-log.ts'
import { sealBatch, type SealingKeys } from '../log/seal.ts'
import { Writer, type WriterIdentity } from '../log/writer.ts'
import { byRow, type NewChange } from '../op/author.ts'
import { Law } from '../op/law.ts'
import { type AppEvent, createRun, HANDLE, NEW_ROW, opCount, type Run, SAME_ROW, type Shape } from '../op/run.ts'
import { encodeRun } from '../op/run-codec.ts'
import type { Value } from '../op/value.ts'
import type { Randomness } from '../ports/ports.ts'
import { Projector } from '../projection/projector.ts'

export const SPACE = 'test-space'
/** Of a log in which everything is projected. */
export const NO_BACKLOG = { waiting: 0, parked: 0, locked: 0, unopenable: 0 }
export const START_MS = Date.UTC(2026, 0, 1)

export const shapes = {
  insert: { law: Law.insert, table: 'tasks', path: [] },
  delete: { law: Law.delete, table: 'tasks', path: [] },
  title: { law: Law.set, table: 'tasks', path: ['title'] },
  done: { law: Law.set, table: 'tasks', path: ['done'] },
  votes: { law: Law.increment, table: 'tasks', path: ['votes'] },
} as const satisfies Record<string, Shape>

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The code of the DriftlogError that is thrown; 'ok' where none is. Anything else goes on. */
export const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof DriftlogError) return error.code
    throw error
  }
  return 'ok'
}

const seedOf = (number: number): Uint8Array => {
  const seed = new Uint8Array(32)
  new DataView(seed.buffer).setUint32(0, number)
  return seed
}

/** The same bytes for the same seed. */
export const seededRandom = (seed: number): Randomness => {
  let drawn = 0
  return { bytes: (length) => hash(seedOf(drawn++), 64, seedOf(seed)).slice(0, length) }
}

/** To seal with in a space that is not encrypted. */
export const plainKeys = (keys: SigningKeys, space = SPACE): SealingKeys => ({
  keys,
  keyring: Keyring.unencrypted(space),
  random: seededRandom(1),
})

/** `by`: the number of the one that vouches for it. */
export const identityOf = (number: number, space = SPACE, by = number): WriterIdentity => {
  const keys = signingKeysFromSeed(seedOf(number))
  const installation = signingKeysFromSeed(seedOf(1_000_000 + by))
  const certificate = makeCertificate(space, keys.publicKey, installation)
  return { space, device: fingerprint(keys.publicKey), keys, certificate }
}

/** `load` fills the log before the writer begins, as from a store. */
export const createReplica = (
  number: number,
  space = SPACE,
  load: (log: OpLog) => void = () => {},
  keyring = Keyring.unencrypted(space),
  members?: { readonly membership: Members; readonly identity: WriterIdentity },
) => {
  const projector = new Projector()
  const log = new OpLog(keyring, projector, members?.membership)
  const identity = members?.identity ?? identityOf(number, space)
  load(log)
  const writer = new Writer(identity, log, projector, 0, seededRandom(number))
  const change = (shape: Shape, rowId: string, value: Value = null, over?: readonly Dot[]): NewChange => {
    const row = projector.cells.table(shape.table).rows.get(rowId)
    return { shape, rowId, handle: row && projector.handleOf(row), value, over }
  }
  const write = (nowMs: number, ...changes: NewChange[]) => writer.write(byRow(changes), writer.nextStamp(nowMs), 1)
  /** Whether the batch was new. */
  const receive = (bytes: Uint8Array): boolean => {
    const batch = decodeBatch(bytes)
    // A certificate can only come from the log itself here: batches of a device come in order.
    return log.receive(log.check(batch))
  }
  /** As from its own store: what was checked before is not checked again. */
  const loadOne = (bytes: Uint8Array): boolean => log.receive(log.open(decodeBatch(bytes)))
  /** Seals what is open and returns the batches' bytes. */
  const seal = (): Uint8Array[] => writer.seal().map((batch) => batch.bytes)
  return {
    device: identity.device,
    identity,
    projector,
    log,
    writer,
    change,
    write,
    receive,
    load: loadOne,
    seal,
    projected: (device: DeviceId): number => projector.projected.get(device) ?? 0,
    row: (id: string, table = 'tasks') => projector.cells.table(table).rows.get(id),
    digest: () => hexOf(projector.cells.digest()),
  }
}
export type Replica = ReturnType<typeof createReplica>

/** A change as it stands in a run: nothing checks it. */
export interface ForgedChange {
  readonly shape: Shape
  readonly row: 'same' | { readonly id: string } | { readonly device: DeviceId; readonly ordinal: number }
  readonly value?: Value
  readonly over?: readonly Dot[]
}

export interface ForgedOp {
  readonly hlc: number
  readonly heads?: readonly Dot[]
  readonly changes?: readonly ForgedChange[]
  readonly groupLeft?: number
  readonly event?: AppEvent
}

const indexer = <T>(list: T[]) => {
  const indexes = new Map<T, number>()
  return (item: T): number => {
    const index = indexes.get(item) ?? list.push(item) - 1
    indexes.set(item, index)
    return index
  }
}

/** A run as it is told. `opBytes` stays empty: only readers count it. */
export const forgeRun = (device: DeviceId, fromSeq: number, ops: readonly ForgedOp[]): Run => {
  const run = createRun(device, fromSeq)
  const deviceIndex = indexer(run.devices)
  const shapeIndex = indexer(run.shapes)
  ops.forEach((op, opIndex) => {
    for (const head of op.heads ?? []) {
      run.headDevice.push(deviceIndex(head.device))
      run.headSeq.push(head.seq)
    }
    for (const { shape, row, value = null, over } of op.changes ?? []) {
      run.shape.push(shapeIndex(shape))
      const isHandle = row !== 'same' && 'device' in row
      run.rowKind.push(row === 'same' ? SAME_ROW : isHandle ? HANDLE + deviceIndex(row.device) : NEW_ROW)
      run.rowOrdinal.push(isHandle ? row.ordinal : 0)
      run.rowId.push(row !== 'same' && 'id' in row ? row.id : '')
      run.value.push(value)
      if (over === undefined) continue
      for (const dot of over) deviceIndex(dot.device)
      run.over.set(run.shape.length - 1, [...over])
    }
    run.hlc.push(op.hlc)
    run.schemaVersion.push(1)
    run.membership.push(0)
    run.groupLeft.push(op.groupLeft ?? 0)
    run.headEnd.push(run.headSeq.length)
    run.changeEnd.push(run.shape.length)
    if (op.event !== undefined) run.events.set(opIndex, op.event)
  })
  return run
}

export interface ForgedBatch {
  /** What the run names of other devices is looked up here. Where left out, it names nothing. */
  readonly chain?: ChainIndex
  /** Rewrites the canonical bytes of the run before they are hashed, sealed and signed. */
  readonly edit?: (run: Uint8Array) => Uint8Array
  /** For a run that `edit` made into something else. */
  readonly references?: readonly Uint8Array[]
}

/** Signs what it is told to, with a chain that is right for it. */
export const createForger = (number: number) => {
  const identity = identityOf(number)
  const { device, certificate } = identity
  const own = new ChainIndex(Keyring.unencrypted(SPACE))
  own.begin(device, chainStart(SPACE, certificate))
  let before = own.last(device)
  let nextSeq = 1
  const seal = (ops: readonly ForgedOp[], { chain = own, edit, references }: ForgedBatch = {}): Batch => {
    const run = forgeRun(device, nextSeq, ops)
    const canonical = encodeRun(run)
    const bytes = edit === undefined ? canonical : edit(canonical)
    const after = references === undefined ? chain.hashAfter(run, bytes, before) : chainNext(before, bytes, references)
    if (after === undefined) throw new Error('the forger does not hold what the run refers to: name `references`')
    const toSeq = nextSeq + opCount(run) - 1
    const tags = { tagBefore: own.tag(device, before, 0), tagAfter: own.tag(device, after, 0) }
    const part = { ...identity, ...tags, fromSeq: nextSeq, toSeq, maxHlc: Math.max(...run.hlc) }
    before = after
    nextSeq = toSeq + 1
    return sealBatch(part, [bytes], plainKeys(identity.keys))
  }
  /** The chain hash after what was sealed last: what a reference to it is filled in with. */
  return { device, identity, seal, last: () => before }
}
export type Forger = ReturnType<typeof createForger>

/** Replaces the one occurrence of `marker` in `bytes`. */
export const spliceBytes = (bytes: Uint8Array, marker: Uint8Array, replacement: Uint8Array): Uint8Array => {
  const at = Buffer.from(bytes).indexOf(marker)
  if (at < 0) throw new Error('no marker')
  return Buffer.concat([bytes.subarray(0, at), replacement, bytes.subarray(at + marker.length)])
}

/** All orders of a few things. */
export const permutations = <T>(items: readonly T[]): T[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, index) =>
        permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
      )

/** Interleavings of several queues, each kept in order, as `choice` picks among those that are left. */
export const interleave = <T>(queues: readonly (readonly T[])[], choice: (left: number) => number): T[] => {
  const left = queues.map((queue) => [...queue]).filter((queue) => queue.length > 0)
  const merged: T[] = []
  while (left.length > 0) {
    const at = choice(left.length) % left.length
    merged.push(left[at].shift()!)
    if (left[at].length === 0) left.splice(at, 1)
  }
  return merged
}
