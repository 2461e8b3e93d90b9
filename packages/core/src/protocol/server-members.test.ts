/** The server's side of a session in a space with members: who is let do what, and what a live session is told of the log. */
import { beforeAll, describe, expect, it } from 'vitest'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { cryptoReady, signingKeysFromSeed } from '../crypto/sodium.ts'
import type { Cursor } from '../log/batch-store.ts'
import { createMembers, installationOf, keyOf } from '../testing/members.test-support.ts'
import { createReplica, identityOf, SPACE, shapes, START_MS } from '../testing/replicas.test-support.ts'
import { bareHello, type ClientMessage, type ServerMessage } from './messages.ts'
import { stepServerSession } from './server-session.ts'
import { createServerSession } from './server-state.ts'
import type { AdmittedMembers, ServerEffect, ServerInput, SessionRole } from './server-types.ts'
import { tipsDigest } from './tip-codec.ts'

beforeAll(cryptoReady)

const NOW = START_MS + 60_000
const cursor: Cursor = { position: 9, tag: new Uint8Array(16) }
const hello = (): ClientMessage => ({ ...bareHello(SPACE), pass: Uint8Array.of(1), digest: tipsDigest(new Map()) })
const bare = { ...bareHello(SPACE), pass: Uint8Array.of(1) }
const entry = Uint8Array.of(1, 2, 3)

class Machine {
  #state = createServerSession({ space: SPACE, mode: 'live' })
  effects: ServerEffect[] = []

  input(...inputs: ServerInput[]): this {
    for (const input of inputs) {
      const { state, effects } = stepServerSession(this.#state, input)
      this.#state = state
      this.effects.push(...effects)
    }
    return this
  }

  say(message: ClientMessage): this {
    return this.input({ kind: 'message', message })
  }

  as(role: SessionRole, members?: AdmittedMembers): this {
    return this.input({ kind: 'authorized', role, serverTimeMs: NOW, ...(members && { members }) })
  }

  live(members: AdmittedMembers): this {
    this.say(hello()).as('reader', members)
    this.input({ kind: 'looked', end: cursor, tips: new Map(), cursorValid: true })
    // Between the greeting and the watch something may have come in: both are looked at.
    this.as('reader', members).input({ kind: 'entriesRead', entries: [], more: false })
    this.as('reader', members).input({ kind: 'pageRead', page: { batches: [], cursor, more: false } })
    this.effects = []
    return this
  }

  kinds(): string[] {
    return this.effects.splice(0).map((effect) => (effect.kind === 'send' ? effect.message.type : effect.kind))
  }

  sent(): ServerMessage[] {
    return this.effects.splice(0).flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
  }
}

const members = (length: number, known: readonly number[] = []): AdmittedMembers => ({
  length,
  head: new Uint8Array(32).fill(length),
  isKnown: (installation) => known.some((number) => Buffer.from(keyOf(number)).equals(installation)),
  admits: () => 'open',
  door: 'door',
  pruning: new Uint8Array(16),
})

const ended = ['refused', 'close']

describe('who is let do what', () => {
  const asks = (): Record<string, ClientMessage> => ({
    pull: { type: 'pull', id: 1, after: cursor },
    push: { type: 'push', id: 1, batches: [entry] },
    locate: { type: 'locate', id: 1, device: identityOf(1).device, points: [{ seq: 1, tag: new Uint8Array(16) }] },
    entries: { type: 'entries', id: 1, after: 0 },
    propose: { type: 'propose', id: 1, entry },
  })
  const allowed: Record<SessionRole, readonly string[]> = {
    stranger: ['propose'],
    guest: ['entries', 'propose'],
    reader: ['pull', 'locate', 'entries', 'propose'],
    writer: ['pull', 'push', 'locate', 'entries', 'propose'],
    admin: ['pull', 'push', 'locate', 'entries', 'propose'],
  }

  it.each(Object.keys(allowed) as SessionRole[])('[MEM8] a %s', (role) => {
    for (const [name, message] of Object.entries(asks())) {
      const machine = new Machine().say(bare).as(role, members(3))
      expect(machine.kinds()).toEqual(['authorize'])
      machine.say(message).as(role, members(3))
      const kinds = machine.kinds().slice(1)
      if (allowed[role].includes(name)) expect([name, kinds]).not.toEqual([name, ended])
      else if (role === 'reader') expect([name, kinds]).toEqual([name, ['pushed']])
      else expect([name, kinds]).toEqual([name, ended])
    }
  })

  it.each(['guest', 'stranger'] as const)('[MEM8] a %s is not greeted, and learns nothing of the space', (role) => {
    const machine = new Machine().say(hello()).as(role, members(3))
    expect(machine.sent()).toMatchObject([{ type: 'refused', code: 'NOT_A_MEMBER', details: {} }])
  })

  it('[MEM8] a reader pushes nothing, and the session goes on', () => {
    const machine = new Machine().say(bare).as('reader', members(3))
    machine.effects = []
    machine.say({ type: 'push', id: 1, batches: [entry, entry] }).as('reader', members(3))
    const refused = { kind: 'refused', code: 'FORBIDDEN', details: {} }
    expect(machine.sent()).toEqual([{ type: 'pushed', id: 1, outcomes: [refused, refused] }])
    expect(machine.say({ type: 'ping' }).kinds()).toEqual(['pong'])
  })

  it('[MEM8] a device of no member is refused, whoever brings its batch, and holds up no other', () => {
    const one = createReplica(1)
    one.write(START_MS, one.change(shapes.insert, 'row'))
    const [foreign] = one.seal()
    const { membership } = createMembers()
    const identity = identityOf(2)
    const certificate = makeCertificate(SPACE, identity.certificate.slice(0, 32), installationOf(2).signing)
    const two = createReplica(2, SPACE, undefined, undefined, {
      membership: { length: 0, epoch: 0, hashAt: (at) => membership.hashAt(at), roleAt: () => 'writer' },
      identity: { ...identity, certificate },
    })
    two.write(START_MS, two.change(shapes.insert, 'row'))
    const [ours] = two.seal()
    const machine = new Machine().say(bare).as('writer', members(3, [2]))
    machine.effects = []
    machine.say({ type: 'push', id: 1, batches: [foreign, ours] }).as('writer', members(3, [2]))
    const append = machine.effects.find((effect) => effect.kind === 'append')
    expect(append?.kind === 'append' && append.batches.map(({ header }) => header.device)).toEqual([identity.device])
    machine.effects = []
    machine.input({
      kind: 'appended',
      outcomes: [{ kind: 'appended', position: 10, branch: identity.device, isSplit: false }],
    })
    expect(machine.sent()).toMatchObject([{ outcomes: [{ code: 'NOT_A_MEMBER' }, { kind: 'appended' }] }])
    expect(fingerprint(signingKeysFromSeed(new Uint8Array(32)).publicKey)).not.toBe(identity.device)
  })
})

describe('the log of members in a session', () => {
  it('[MEM9] its length and head stand in the welcome, in sync or not', () => {
    const machine = new Machine().say(hello()).as('writer', members(3))
    machine.effects = []
    machine.input({ kind: 'looked', end: cursor, tips: new Map(), cursorValid: true })
    expect(machine.sent()[0]).toMatchObject({ type: 'welcome', members: { length: 3, head: members(3).head } })
    const other = new Machine().say(hello()).as('writer', members(3))
    other.effects = []
    const tips = new Map([[identityOf(1).device, { seq: 1, tag: new Uint8Array(16) }]])
    other.input({ kind: 'looked', end: cursor, tips, cursorValid: true })
    expect(other.sent()[0]).toMatchObject({ type: 'welcome', inSync: false, members: { length: 3 } })
  })

  it('[MEM9] what comes is told at once, from where the device was told, page by page', () => {
    const machine = new Machine().live(members(3))
    machine.input({ kind: 'membersGrew' }).as('reader', members(5))
    expect(machine.effects.splice(0)).toMatchObject([{ kind: 'authorize' }, { kind: 'readEntries', after: 3 }])
    machine.input({ kind: 'entriesRead', entries: [entry], more: true }).as('reader', members(5))
    expect(machine.effects.splice(0)).toMatchObject([
      { kind: 'send', message: { type: 'entries', after: 3, entries: [entry], more: true } },
      { kind: 'authorize' },
      { kind: 'readEntries', after: 4 },
    ])
    machine.input({ kind: 'entriesRead', entries: [entry], more: false })
    expect(machine.sent()).toMatchObject([{ type: 'entries', after: 4, more: false }])
    expect(machine.say({ type: 'ping' }).sent()).toEqual([{ type: 'pong', members: 5 }])
    // What was told already is not told again.
    machine
      .input({ kind: 'membersGrew' })
      .as('reader', members(5))
      .input({ kind: 'entriesRead', entries: [], more: false })
    expect(machine.sent()).toEqual([])
  })

  it('[MEM8] who was removed is told nothing any more, whatever is due: a page, entries, an answer', () => {
    const due: ServerInput[] = [
      { kind: 'changed' },
      { kind: 'membersGrew' },
      { kind: 'message', message: { type: 'pull', id: 1, after: cursor } },
      { kind: 'message', message: { type: 'entries', id: 1, after: 0 } },
    ]
    for (const input of due) {
      const machine = new Machine().live(members(3)).input(input)
      machine.effects = []
      machine.as('stranger', members(4))
      const [refused, ...rest] = machine.sent()
      expect([refused.type === 'refused' && refused.code, rest]).toEqual(['NOT_A_MEMBER', []])
      expect(machine.input(input).as('reader', members(4)).effects).toEqual([])
    }
    const denied = new Machine().live(members(3)).input({ kind: 'membersGrew' })
    denied.effects = []
    denied.input({ kind: 'denied', code: 'UNAUTHORIZED', details: { serverTimeMs: 5 } })
    expect(denied.sent()).toMatchObject([{ code: 'UNAUTHORIZED', details: { serverTimeMs: 5 } }])
  })

  it('[MEM7] a proposal is answered with its place, or why it is refused; a failing store is no refusal', () => {
    const propose = (): Machine => {
      const machine = new Machine().say(bare).as('guest', members(3)).say({ type: 'propose', id: 7, entry })
      machine.as('guest', members(3))
      machine.effects = []
      return machine
    }
    expect(propose().input({ kind: 'proposed', position: 4 }).sent()).toEqual([
      { type: 'proposed', id: 7, position: 4 },
    ])
    const refused = { kind: 'proposalRefused', code: 'MEMBERS_REFUSED', details: { why: 'the last admin' } } as const
    expect(propose().input(refused).sent()).toMatchObject([
      { id: 7, code: 'MEMBERS_REFUSED', details: refused.details },
    ])
    expect(propose().input({ kind: 'storeFailed', code: 'STORAGE_FAILED' }).sent()).toMatchObject([
      { id: 7, code: 'UNAVAILABLE' },
    ])
    const reading = new Machine().live(members(3)).input({ kind: 'membersGrew' }).as('reader', members(4))
    reading.effects = []
    expect(reading.input({ kind: 'storeFailed', code: 'STORAGE_FAILED' }).kinds()).toEqual(ended)
  })
})
