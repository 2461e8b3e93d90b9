/** The driver of the session, over a transport that does what the test says. */
import {
  bareHello,
  type BatchStore,
  type ClientMessage,
  defineSchema,
  f,
  memoryMedium,
  memoryStore,
  startCursor,
  systemPorts,
  table,
  tipsDigest,
} from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
import { openReplica } from '../open-replica.ts'
import type { Connection, Transport, TransportEvents } from '../transport/transport.ts'

const schema = defineSchema({ version: 1, tables: { notes: table({ text: f.string() }) } })

interface Call {
  readonly events: TransportEvents
  readonly sent: ClientMessage[]
  isClosed: boolean
}

/** Records what is asked of it; `onConnect` and `onSend` answer. */
class ManualTransport implements Transport {
  readonly mode = 'live'
  readonly calls: Call[] = []
  onConnect: (call: Call) => void = ({ events }) => queueMicrotask(() => events.opened())
  onSend: (call: Call, message: ClientMessage) => void = welcomeAll

  connect(_space: string, events: TransportEvents): Connection {
    const call: Call = { events, sent: [], isClosed: false }
    this.calls.push(call)
    this.onConnect(call)
    return {
      send: (messages) => {
        call.sent.push(...messages)
        for (const message of messages) this.onSend(call, message)
      },
      close: () => {
        call.isClosed = true
      },
    }
  }
}

const start = { position: 0, tag: new Uint8Array(0) }

/** A server that holds what the device holds, and answers in the same breath. */
const welcomeAll = ({ events, isClosed }: Call, message: ClientMessage): void => {
  if (isClosed) return
  if (message.type === 'hello') {
    events.message({
      type: 'welcome',
      protocol: message.protocol,
      serverTimeMs: Date.now(),
      role: 'writer',
      inSync: true,
      cursorValid: true,
      end: start,
    })
  } else if (message.type === 'push') {
    events.message({ type: 'pushed', id: message.id, outcomes: message.batches.map(() => ({ kind: 'appended' })) })
  } else if (message.type === 'pull') {
    events.message({ type: 'page', id: message.id, from: 0, batches: [], cursor: start, more: false })
  } else if (message.type === 'ping') events.message({ type: 'pong' })
}

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** Back-offs take milliseconds. */
const ports = {
  ...systemPorts,
  timers: {
    schedule: (delayMs: number, run: () => void) => systemPorts.timers.schedule(delayMs / 50, run),
  },
}

const open = async (transport: Transport | undefined, store = memoryStore()) => {
  const replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store, transport, ports })
  cleanups.push(() => replica.close())
  return replica
}

const pause = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

it('a server that answers in the same breath: sync resolves, nothing runs twice', async () => {
  const transport = new ManualTransport()
  transport.onConnect = ({ events }) => events.opened()
  const replica = await open(transport)
  for (let n = 0; n < 3; n++) {
    const receipt = replica.mutate((tx) => tx.notes.insert({ text: `${n}` }))
    await replica.sync()
    await receipt.acknowledged
  }
  await replica.sync()
  expect(transport.calls).toHaveLength(1)
  const pushes = transport.calls[0].sent.filter(({ type }) => type === 'push')
  expect(pushes).toHaveLength(3)
  expect(transport.calls[0].sent[0]).toEqual({ ...bareHello('home'), cursor: start, digest: tipsDigest(new Map()) })
})

describe('a connection that was dropped', () => {
  it('is not heard any more, whatever it says', async () => {
    const transport = new ManualTransport()
    const replica = await open(transport)
    await replica.sync()
    const [old] = transport.calls
    replica.setOnline(false)
    replica.setOnline(true)
    await replica.sync()
    expect(transport.calls).toHaveLength(2)
    expect(old.isClosed).toBe(true)
    old.events.message({ type: 'refused', code: 'NOT_FOUND', message: '', details: {} })
    old.events.closed({ code: 'UNAUTHORIZED', message: '' })
    old.events.opened()
    await pause()
    expect(replica.status).toMatchObject({ online: true, error: undefined })
    expect(transport.calls).toHaveLength(2)
  })

  it('is not heard where what it said waited for the input that dropped it', async () => {
    const transport = new ManualTransport()
    const replica = await open(transport)
    await replica.sync()
    const [old] = transport.calls
    // In one step of the engine: the connection is dropped and made anew, and the old one says something in between.
    transport.onSend = (call, message) => {
      if (call === old && message.type === 'pull') {
        replica.setOnline(false)
        replica.setOnline(true)
        old.events.closed({ code: 'NOT_FOUND', message: 'from the old one' })
        return
      }
      welcomeAll(call, message)
    }
    await replica.sync()
    expect(replica.status.error).toBe(undefined)
    expect(transport.calls).toHaveLength(2)
  })
})

/** A store whose owner is told of nothing that others put there. */
const deaf = (store: BatchStore): BatchStore =>
  new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name)
      if (name === 'watch') return () => () => undefined
      return typeof method === 'function' ? method.bind(target) : method
    },
  })

it('[SYNC22] asked about a branch that only the store knows by now, the log is brought up to the store', async () => {
  const original = memoryStore()
  const author = await open(undefined, original)
  await author.mutate((tx) => tx.notes.insert({ text: 'shared' })).stored
  const copy = memoryStore()
  const { batches } = await original.readAfter('home', startCursor, { batches: 10, bytes: 1e6 })
  const held = batches.map(({ batch }) => batch)
  await copy.append('home', held, { records: await original.records('home', '') })
  const clone = await open(undefined, copy)
  await author.mutate((tx) => tx.notes.insert({ text: 'one' })).stored
  await clone.mutate((tx) => tx.notes.insert({ text: 'two' })).stored
  const medium = memoryMedium()
  const transport = new ManualTransport()
  const replica = await open(transport, deaf(memoryStore(medium)))
  await replica.import(await author.export())
  await replica.sync()
  const other = await open(undefined, memoryStore(medium))
  // Now the store has other names for what the log holds.
  await other.import(await clone.export())
  let isRefused = false
  transport.onSend = (call, message) => {
    if (message.type === 'push' && !isRefused) {
      isRefused = true
      const refused = { kind: 'refused', code: 'GAP', details: { have: 0 } } as const
      call.events.message({ type: 'pushed', id: message.id, outcomes: message.batches.map(() => refused) })
    } else welcomeAll(call, message)
  }
  replica.mutate((tx) => tx.notes.insert({ text: 'pushed with it' }))
  await expect.poll(() => isRefused).toBe(true)
  await expect.poll(() => replica.digest() === other.digest()).toBe(true)
  await replica.sync()
  expect(replica.status).toMatchObject({ pending: 0, error: undefined })
})

describe('where no connection comes', () => {
  it('sync waits, and rejects with CLOSED when the replica closes', async () => {
    const transport = new ManualTransport()
    transport.onConnect = () => {}
    const replica = await open(transport)
    const receipt = replica.mutate((tx) => tx.notes.insert({ text: 'kept' }))
    const waiting = [replica.sync(), replica.sync(), receipt.acknowledged].map((promise) =>
      promise.catch((error: unknown) => (error as { code?: string }).code),
    )
    await pause()
    expect(replica.status).toMatchObject({ summary: 'offline', online: false, pending: 1, unsaved: 0 })
    await replica.close()
    expect(await Promise.all(waiting)).toEqual(['CLOSED', 'CLOSED', 'CLOSED'])
    await expect(replica.sync()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(transport.calls[0].isClosed).toBe(true)
  })

  it('a transport that throws is tried again, later and later', async () => {
    const transport = new ManualTransport()
    transport.onConnect = ({ events }) => {
      if (transport.calls.length < 3) throw new TypeError('not today')
      queueMicrotask(() => events.opened())
    }
    const replica = await open(transport)
    await replica.sync()
    expect(transport.calls).toHaveLength(3)
  })

  it('why the last connection failed does not fail a sync that is trying again', async () => {
    const transport = new ManualTransport()
    let isKnown = false
    transport.onSend = (call, message) => {
      if (isKnown || message.type !== 'hello') welcomeAll(call, message)
      else call.events.message({ type: 'refused', code: 'NOT_FOUND', message: '', details: {} })
    }
    const replica = await open(transport)
    await expect(replica.sync()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    isKnown = true
    await replica.sync()
    await expect.poll(() => replica.status.summary).toBe('up-to-date')
  })
})

it('after close nothing is sent, no timer runs and the status says offline', async () => {
  const running = new Set<() => void>()
  const timers = {
    schedule(delayMs: number, run: () => void) {
      const cancel = systemPorts.timers.schedule(delayMs, () => {
        running.delete(cancel)
        run()
      })
      running.add(cancel)
      return () => {
        running.delete(cancel)
        cancel()
      }
    },
  }
  const transport = new ManualTransport()
  const replica = await openReplica({
    schema,
    space: 'home',
    key: 'unencrypted',
    store: memoryStore(),
    transport,
    ports: { ...systemPorts, timers },
  })
  await replica.sync()
  expect(running.size).toBeGreaterThan(0)
  let isComplete = false
  replica.status$.subscribe({
    complete: () => {
      isComplete = true
    },
  })
  replica.mutate((tx) => tx.notes.insert({ text: 'stored by close' }))
  await replica.close()
  expect(running.size).toBe(0)
  expect(isComplete).toBe(true)
  const sent = transport.calls[0].sent.length
  transport.calls[0].events.opened()
  await pause()
  expect(transport.calls[0].sent).toHaveLength(sent)
  expect(replica.status).toMatchObject({ summary: 'offline', online: false, syncing: false, pending: 1, unsaved: 0 })
  expect(() => replica.setOnline(true)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

it('lastSyncedAt is when being in sync began, or ended', async () => {
  let nowMs = Date.UTC(2026, 5, 1)
  const transport = new ManualTransport()
  const replica = await openReplica({
    schema,
    space: 'home',
    key: 'unencrypted',
    store: memoryStore(),
    transport,
    ports: { ...ports, clock: { now: () => nowMs } },
  })
  cleanups.push(() => replica.close())
  await expect.poll(() => replica.status.lastSyncedAt?.getTime()).toBe(nowMs)
  nowMs += 3_600_000
  replica.setOnline(false)
  await expect.poll(() => replica.status.lastSyncedAt?.getTime()).toBe(nowMs)
  nowMs += 3_600_000
  replica.mutate((tx) => tx.notes.insert({ text: 'offline' }))
  await pause()
  expect(replica.status.lastSyncedAt?.getTime()).toBe(nowMs - 3_600_000)
})
