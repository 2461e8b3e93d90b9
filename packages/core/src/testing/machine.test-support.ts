/** The device's machine in the hands of a test: it answers what a driver would, and shows what the machine asked for. */
import { type DeviceId, deviceIdFromBytes } from '../clock/dot.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import { assembleBatch, type Batch, encodeHeader } from '../log/batch.ts'
import type { Cursor } from '../log/batch-store.ts'
import { sessionStatus, stepClientSession } from '../protocol/client-session.ts'
import { type ClientSession, createClientSession } from '../protocol/client-state.ts'
import type { BranchPoints, ClientEffect, ClientInput, ClientSessionConfig } from '../protocol/client-types.ts'
import {
  type ClientMessage,
  type Page,
  PROTOCOL_VERSION,
  type ServerMessage,
  type Welcome,
} from '../protocol/messages.ts'
import { decodeTips, encodeTips } from '../protocol/tip-codec.ts'

const deviceNamed = (name: number): DeviceId => deviceIdFromBytes(new Uint8Array(16).fill(name))
export const ann = deviceNamed(1)
export const bob = deviceNamed(2)
export const cursorAt = (position: number): Cursor => ({
  position,
  tag: new Uint8Array(position === 0 ? 0 : 16).fill(position),
})
export const tagAt = (seq: number): Uint8Array => new Uint8Array(16).fill(seq)
export const vector = (entries: Record<string, number>): VersionVector =>
  new Map(Object.entries(entries) as [DeviceId, number][])

/** Unsigned: the machine goes by headers alone. */
export const batchOf = (device: DeviceId, fromSeq: number, toSeq = fromSeq, space = 'home'): Batch => {
  const tag = new Uint8Array(16)
  const certificate = fromSeq === 1 ? new Uint8Array(1) : undefined
  const rest = {
    coarseMaxHlc: 1,
    keyEpoch: 0,
    flags: 0,
    tagBefore: tag,
    tagAfter: tag,
    innerEnds: [],
    shifts: [],
    certificate,
  }
  const header = encodeHeader({ format: 1, space, device, fromSeq, toSeq, ...rest })
  return assembleBatch(header, new Uint8Array(1), new Uint8Array(64))
}

export const asOutbox = (batch: Batch) => ({ batch, branch: batch.header.device })

/** A machine and what it asked for since it was last looked at. Tips it places by their seqs alone, unless told otherwise. */
export class Machine {
  state: ClientSession
  placesItself = true
  effects: ClientEffect[] = []

  constructor(config: Partial<ClientSessionConfig> = {}) {
    this.state = createClientSession({ space: 'home', mode: 'live', seed: 1, held: new Map(), ...config })
  }

  input(...inputs: ClientInput[]): this {
    for (const input of inputs) {
      const { state, effects } = stepClientSession(this.state, input)
      this.state = state
      this.effects.push(...effects)
      if (this.placesItself) for (const { request, tips } of this.take('place')) this.place(request, tips)
    }
    return this
  }

  place(request: number, tips: Uint8Array): void {
    const entries = [...decodeTips(tips)].map(([name, { seq }]) => [name, seq] as const)
    const unverified = entries.filter(([name, seq]) => seq > (this.state.held.get(name) ?? 0)).map(([name]) => name)
    this.input({ kind: 'placed', request, vector: new Map(entries), unverified, forked: [] })
  }

  hear(...messages: ServerMessage[]): this {
    return this.input(...messages.map((message) => ({ kind: 'message', message }) as const))
  }

  open(welcome: Partial<Welcome> = {}): this {
    this.input({ kind: 'goOnline' }, { kind: 'connected' })
    return this.hear({ ...inSync, ...welcome })
  }

  take<Kind extends ClientEffect['kind']>(kind: Kind): (ClientEffect & { kind: Kind })[] {
    const taken = this.effects.filter((effect): effect is ClientEffect & { kind: Kind } => effect.kind === kind)
    this.effects = this.effects.filter((effect) => effect.kind !== kind)
    return taken
  }

  sent(): ClientMessage[] {
    const isSent = ({ kind }: ClientEffect): boolean => kind === 'send' || kind === 'greet'
    const sent = this.effects.filter(isSent)
    this.effects = this.effects.filter((effect) => !isSent(effect))
    return sent.flatMap((effect) =>
      effect.kind === 'send' ? effect.messages : effect.kind === 'greet' ? [effect.hello] : [],
    )
  }

  /** Answers the question for places of a branch that must be under way. */
  points(answer: Partial<BranchPoints> & { device: DeviceId }): this {
    const [{ request, branch }] = this.take('readPoints')
    const points = { path: [{ branch, base: 0 }], points: [], isComplete: true, ...answer }
    return this.input({ kind: 'pointsRead', request, ...points })
  }

  /** Hears how far the server holds the branch that it must have been asked about. */
  locate(seq: number): this {
    const locate = this.sent().find(({ type }) => type === 'locate')
    if (locate?.type !== 'locate') throw new Error('nothing was asked')
    return this.hear({ type: 'located', id: locate.id, seq })
  }

  /** Answers the outbox reading that must be under way. */
  outbox(...batches: Batch[]): this {
    const [reading] = this.take('readOutbox')
    return this.input({ kind: 'outboxRead', request: reading.request, batches: batches.map(asOutbox), more: false })
  }

  /** Answers the ingest that must be under way; nothing of it forked, unless `more` says so. */
  stored(held: VersionVector, more: Partial<ClientInput & { kind: 'stored' }> = {}): this {
    const [{ request }] = this.take('ingest')
    return this.input({ kind: 'stored', request, held, taken: [], isRenamed: false, ...more })
  }

  refuse(id: number, code: ErrorCode, details = {}): this {
    return this.hear({ type: 'pushed', id, outcomes: [{ kind: 'refused', code, details }] })
  }

  get status() {
    return sessionStatus(this.state)
  }
}

export const inSync: Welcome = {
  type: 'welcome',
  protocol: PROTOCOL_VERSION,
  serverTimeMs: 5,
  role: 'writer',
  inSync: true,
  cursorValid: false,
  end: cursorAt(9),
}
export const behind = (held: VersionVector, more: Partial<Welcome> = {}): Partial<Welcome> => ({
  inSync: false,
  tips: encodeTips(new Map([...held].map(([name, seq]) => [name, { seq, tag: tagAt(seq) }]))),
  ...more,
})
export const page = (from: number, cursor: Cursor, batches: Batch[] = [], more: Partial<Page> = {}): Page => ({
  type: 'page',
  from,
  cursor,
  batches: batches.map(({ bytes }) => bytes),
  more: false,
  ...more,
})
