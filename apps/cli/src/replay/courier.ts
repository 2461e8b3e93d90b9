/**
 * The way of one device to the server, by a courier: what the device pushes goes to the server as it is; what it pulls is
 * what the courier was told to hand over, and nothing else.
 *
 *     device ── push ─────────────────────────────▶ server
 *     device ◀─ welcome, page ── mailbox ◀─ feed ── server        until `goDirect`; then all of it goes straight through
 *
 * A server sends everything that it has. A history has branches that did not see each other, so between server and device
 * something must hold back what the device could not have known when it wrote. The device notices nothing: it speaks the
 * protocol with somebody who knows less than the server does.
 */
import {
  type ClientMessage,
  type Cursor,
  type DeviceId,
  decodeBatch,
  decodeVector,
  encodeTips,
  equalBytes,
  PROTOCOL_VERSION,
  type ServerMessage,
  startCursor,
  type Tip,
} from '@driftlog/core'
import type { Connection, Transport, TransportEvents } from '@driftlog/client'
import type { CarriedBatch } from './server-feed.ts'

/**
 * Positions in a mailbox start here. So no cursor of a mailbox can be taken for one of the server, which never counts as
 * far: the first direct hello finds it invalid and goes on by vectors.
 */
const FIRST_POSITION = 2 ** 40
const PAGE_BATCHES = 256
const PAGE_BYTES = 500_000

type Hello = Extract<ClientMessage, { type: 'hello' }>
type Pull = Extract<ClientMessage, { type: 'pull' }>
type Push = Extract<ClientMessage, { type: 'push' }>
type Pushed = Extract<ServerMessage, { type: 'pushed' }>

/** What one device was handed so far, in the order of handing over. */
export class Mailbox {
  readonly #batches: CarriedBatch[] = []
  /** What the device may believe the server to hold: the mailbox and its own acknowledged ops. */
  readonly #tips = new Map<DeviceId, Tip>()
  #isDirect = false

  get isDirect(): boolean {
    return this.#isDirect
  }

  /** From the next connection on the device talks to the server itself. */
  goDirect(): void {
    this.#isDirect = true
  }

  /** Lets batches through that were not yet. A device's batches come in order of seq. */
  put(batches: readonly CarriedBatch[]): void {
    const fresh = batches.filter(({ header }) => header.toSeq > (this.#tips.get(header.device)?.seq ?? 0))
    for (const batch of fresh.toSorted((a, b) => a.order - b.order)) {
      this.#batches.push(batch)
      this.#reach(batch.header)
    }
  }

  /** The server has taken in what the device pushed. */
  acknowledge(push: Push, { outcomes }: Pushed): void {
    outcomes.forEach(({ kind }, index) => {
      if (kind === 'refused') return
      this.#reach(decodeBatch(push.batches[index]).header)
    })
  }

  #reach({ device, toSeq, tagAfter }: CarriedBatch['header']): void {
    if (toSeq > (this.#tips.get(device)?.seq ?? 0)) this.#tips.set(device, { seq: toSeq, tag: tagAfter })
  }

  /** Answers a hello or a pull as a server would that holds only this. undefined: nothing is to be answered. */
  answer(message: Hello | Pull, serverTimeMs: number): ServerMessage | undefined {
    return message.type === 'hello' ? this.#welcome(message, serverTimeMs) : this.#page(message)
  }

  #welcome({ cursor, digest }: Hello, serverTimeMs: number): ServerMessage | undefined {
    if (digest === undefined) return undefined
    return {
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      serverTimeMs,
      role: 'writer',
      inSync: false,
      cursorValid: cursor !== undefined && this.#indexAfter(cursor) !== undefined,
      end: this.#cursorAfter(this.#batches.length),
      tips: encodeTips(this.#tips),
    }
  }

  #page({ id, after, above }: Pull): ServerMessage {
    const held = above === undefined ? undefined : decodeVector(above)
    const start = after === undefined ? 0 : this.#indexAfter(after)
    if (start === undefined) return { type: 'refused', id, code: 'BASE_MISMATCH', message: 'mailbox', details: {} }
    const batches: Uint8Array[] = []
    let bytes = 0
    let index = start
    for (; index < this.#batches.length; index++) {
      const { header, bytes: batch } = this.#batches[index]
      if (held !== undefined && header.toSeq <= (held.get(header.device) ?? 0)) continue
      if (batches.length > 0 && (batches.length === PAGE_BATCHES || bytes + batch.length > PAGE_BYTES)) break
      batches.push(batch)
      bytes += batch.length
    }
    const more = index < this.#batches.length
    return { type: 'page', id, from: after?.position ?? 0, batches, cursor: this.#cursorAfter(index), more }
  }

  #cursorAfter(count: number): Cursor {
    if (count === 0) return startCursor
    return { position: FIRST_POSITION + count, tag: this.#batches[count - 1].header.tagAfter }
  }

  #indexAfter({ position, tag }: Cursor): number | undefined {
    if (position === 0) return 0
    const count = position - FIRST_POSITION
    const last = this.#batches[count - 1]
    return last !== undefined && equalBytes(last.header.tagAfter, tag) ? count : undefined
  }
}

/** `direct`: a round-trip transport to the server. `now`: the wall clock, for the welcome. */
export const courierTransport = (direct: Transport, mailbox: Mailbox, now: () => number): Transport => ({
  mode: 'roundTrip',
  pollMs: direct.pollMs,
  connect: (space, events) =>
    mailbox.isDirect ? direct.connect(space, events) : connect(direct, space, mailbox, events, now),
})

const connect = (
  direct: Transport,
  space: string,
  mailbox: Mailbox,
  events: TransportEvents,
  now: () => number,
): Connection => {
  const pushes = new Map<number, Push>()
  let isClosed = false
  const onward = direct.connect(space, {
    ...events,
    message(message) {
      const push = message.type === 'pushed' ? pushes.get(message.id) : undefined
      if (message.type === 'pushed' && push !== undefined) mailbox.acknowledge(push, message)
      events.message(message)
    },
  })
  const send = (message: ClientMessage): void => {
    if (message.type === 'push') {
      pushes.set(message.id, message)
      onward.send([message])
    } else if (message.type === 'hello' || message.type === 'pull') {
      const answer = mailbox.answer(message, now())
      // Never at once: the session is still performing the effect that asked.
      if (answer !== undefined) queueMicrotask(() => isClosed || events.message(answer))
    }
  }
  return {
    send: (messages) => messages.forEach(send),
    close() {
      isClosed = true
      onward.close()
    },
  }
}
