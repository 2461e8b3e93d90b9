/** One frame of each message of the protocol: what is on the wire. Appended to, never changed (see make-vectors). */
import { type ClientMessage, encodeFrame, encodeTips, encodeVector, type ServerMessage } from '@driftlog/core'
import { bareHello, PROTOCOL_VERSION } from '../../packages/core/src/protocol/messages.ts'
import { hexOf, identityOf } from '../../packages/core/src/testing/replicas.test-support.ts'

const tag = new Uint8Array(16).fill(0xa1)
const digest = new Uint8Array(16).fill(0xd1)
const batch = Uint8Array.of(1, 2, 3)
const entry = Uint8Array.of(4, 5, 6)
const head = new Uint8Array(32).fill(0xe1)

/** By sender and name, so that a diff says which message changed. */
const messages = (): Record<string, { from: 'device' | 'server'; message: ClientMessage | ServerMessage }> => {
  const { device } = identityOf(1)
  const vector = encodeVector(new Map([[device, 300]]))
  const tips = encodeTips(new Map([[device, { seq: 300, tag }]]))
  return {
    hello: {
      from: 'device',
      message: {
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        space: 'home',
        token: 'token',
        cursor: { position: 7, tag },
        digest,
      },
    },
    'hello that opens a round trip': { from: 'device', message: bareHello('home') },
    push: { from: 'device', message: { type: 'push', id: 3, batches: [batch, batch] } },
    'pull after a cursor': { from: 'device', message: { type: 'pull', id: 4, after: { position: 7, tag } } },
    'pull above a vector': { from: 'device', message: { type: 'pull', id: 5, above: vector } },
    locate: {
      from: 'device',
      message: {
        type: 'locate',
        id: 6,
        device,
        points: [
          { seq: 2, tag },
          { seq: 300, tag: digest },
        ],
      },
    },
    ping: { from: 'device', message: { type: 'ping' } },
    'welcome, in sync': {
      from: 'server',
      message: {
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        serverTimeMs: 1_790_000_000_000,
        role: 'writer',
        inSync: true,
        cursorValid: true,
        end: { position: 7, tag },
      },
    },
    welcome: {
      from: 'server',
      message: {
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        serverTimeMs: 1_790_000_000_000,
        role: 'reader',
        inSync: false,
        cursorValid: false,
        end: { position: 9, tag },
        tips,
      },
    },
    pushed: {
      from: 'server',
      message: {
        type: 'pushed',
        id: 3,
        outcomes: [
          { kind: 'appended' },
          { kind: 'duplicate' },
          { kind: 'refused', code: 'GAP', details: { have: 12 } },
        ],
      },
    },
    located: { from: 'server', message: { type: 'located', id: 6, seq: 2 } },
    'page that answers': {
      from: 'server',
      message: { type: 'page', id: 4, from: 7, batches: [batch], cursor: { position: 8, tag }, more: true },
    },
    'page, live': {
      from: 'server',
      message: { type: 'page', from: 8, batches: [], cursor: { position: 9, tag }, more: false },
    },
    refused: {
      from: 'server',
      message: { type: 'refused', id: 4, code: 'BASE_MISMATCH', message: 'elsewhere', details: {} },
    },
    pong: { from: 'server', message: { type: 'pong' } },
    'hello with a pass': {
      from: 'device',
      message: { type: 'hello', protocol: PROTOCOL_VERSION, space: 'home', pass: Uint8Array.of(7, 8, 9), digest },
    },
    'welcome with members': {
      from: 'server',
      message: {
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        serverTimeMs: 1_790_000_000_000,
        role: 'writer',
        inSync: true,
        cursorValid: true,
        end: { position: 7, tag },
        members: { length: 300, head },
      },
    },
    'asking for entries': { from: 'device', message: { type: 'entries', id: 7, after: 12 } },
    'entries that answer': {
      from: 'server',
      message: { type: 'entries', id: 7, after: 12, entries: [entry, entry], more: true },
    },
    'entries, live': { from: 'server', message: { type: 'entries', after: 14, entries: [entry], more: false } },
    propose: { from: 'device', message: { type: 'propose', id: 8, entry } },
    'pong that tells of entries': { from: 'server', message: { type: 'pong', members: 15 } },
    proposed: { from: 'server', message: { type: 'proposed', id: 8, position: 15 } },
    call: { from: 'device', message: { type: 'call', id: 9, body: batch } },
    reply: { from: 'server', message: { type: 'reply', id: 9, body: batch } },
    'reply, live': { from: 'server', message: { type: 'reply', body: new Uint8Array(0) } },
  }
}

const inJson = (_: string, value: unknown): unknown => (value instanceof Uint8Array ? { $bytes: hexOf(value) } : value)

export const makeFrames = () => ({
  frames: Object.entries(messages()).map(([name, { from, message }]) => ({
    name,
    from,
    message: JSON.parse(JSON.stringify(message, inJson)) as unknown,
    hex: hexOf(encodeFrame(message)),
  })),
})
