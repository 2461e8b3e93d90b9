/** ING1 to ING6, SYNC11, SYNC12, SOCK: what a server takes in, hands out, and refuses to bear. */
import {
  type BatchStore,
  bareHello,
  cryptoReady,
  DriftlogError,
  emptyVector,
  encodeVector,
  hlcFromMs,
  memoryStore,
  tipsDigest,
} from '@driftlog/core'
import { makeTestBatch, makeTestDevice, makeTestHistory, type TestDevice } from '@driftlog/testkit'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Harness, NOW, type Socket, SPACE } from './harness.ts'

let harness: Harness
let ann: TestDevice
let bob: TestDevice

beforeAll(cryptoReady)
beforeEach(() => {
  harness = new Harness()
  ann = makeTestDevice(SPACE, 'ann')
  bob = makeTestDevice(SPACE, 'bob')
})
afterEach(() => harness.close())

const restart = async (...options: ConstructorParameters<typeof Harness>): Promise<void> => {
  await harness.close()
  harness = new Harness(...options)
}

const push = async (...batches: readonly { readonly bytes: Uint8Array }[]) => {
  const [answer] = await harness.exchange([{ type: 'push', id: 1, batches: batches.map(({ bytes }) => bytes) }])
  return answer.type === 'pushed' ? answer.outcomes : answer
}

const coarse = (ms: number): number => Math.ceil(hlcFromMs(ms) / (1024 * 4096))

describe('admission', () => {
  it('SYNC2 answers a gap with what it has, and a duplicate as one', async () => {
    const [first, second, third] = makeTestHistory(ann, [2, 1, 1])
    expect(await push(third)).toEqual([{ kind: 'refused', code: 'GAP', details: { have: 0 } }])
    expect(await push(first, third)).toEqual([
      { kind: 'appended' },
      { kind: 'refused', code: 'GAP', details: { have: 2 } },
    ])
    expect(await push(first, second, third)).toEqual([
      { kind: 'duplicate' },
      { kind: 'appended' },
      { kind: 'appended' },
    ])
  })

  it('STORE2 takes in what a copy of a device wrote, beside what it has', async () => {
    const mine = makeTestHistory(ann, [2, 1])
    const clone = makeTestHistory(ann, [2, 1], undefined, 'clone')
    await push(...mine)
    expect(await push(...clone)).toEqual([{ kind: 'appended' }, { kind: 'appended' }])
    const tips = [...(await harness.store.tips(SPACE)).values()]
    expect(new Set(tips.map(({ tag }) => tag.join()))).toEqual(
      new Set([mine[1], clone[1]].map(({ header }) => header.tagAfter.join())),
    )
  })

  it('STORE1 refuses what goes on from what it has not; other devices go on in the same push', async () => {
    await push(...makeTestHistory(ann, [2, 1]))
    const clone = makeTestHistory(ann, [2, 1], undefined, 'clone')
    const [other] = makeTestHistory(bob, [1])
    const fork = { kind: 'refused', code: 'FORK', details: { have: 3 } }
    expect(await push(clone[1], other)).toEqual([fork, { kind: 'appended' }])
    expect((await harness.store.vector(SPACE)).size).toBe(2)
  })

  it('ING2 refuses stamps more than 60 s ahead, and says what time it is', async () => {
    const ahead = { kind: 'refused', code: 'CLOCK_AHEAD', details: { serverTimeMs: NOW } }
    expect(await push(makeTestBatch(ann, { coarseMaxHlc: coarse(NOW + 63_000) }))).toEqual([ahead])
    expect(await push(makeTestBatch(ann, { coarseMaxHlc: coarse(NOW + 30 * 365 * 86_400_000) }))).toEqual([ahead])
    expect(await push(makeTestBatch(ann, { coarseMaxHlc: coarse(NOW + 60_000) }))).toEqual([{ kind: 'appended' }])
  })

  it('ING4 refuses what the named device did not sign, and stores nothing of it', async () => {
    const [first, second] = makeTestHistory(ann, [1, 1])
    const [theirs] = makeTestHistory(bob, [1])
    const forged = first.bytes.slice()
    forged[forged.length - 1] ^= 1
    const swapped = { bytes: Uint8Array.from([...first.bytes.subarray(0, -64), ...theirs.signature]) }
    for (const bad of [{ bytes: forged }, swapped]) {
      expect(await push(bad)).toMatchObject([{ kind: 'refused', code: 'SIGNATURE_INVALID' }])
    }
    await push(first)
    const later = second.bytes.slice()
    later[later.length - 70] ^= 1
    expect(await push({ bytes: later })).toMatchObject([{ kind: 'refused', code: 'SIGNATURE_INVALID' }])
    expect(await harness.store.vector(SPACE)).toEqual(new Map([[ann.device, 1]]))
  })

  it('ING1 refuses a batch of another space', async () => {
    const [elsewhere] = makeTestHistory(makeTestDevice('other', 'ann'), [1])
    expect(await push(elsewhere)).toMatchObject([{ kind: 'refused', code: 'MALFORMED' }])
  })

  it('is not ready, and admits nothing, by a clock that cannot be right', async () => {
    for (const wrong of [0, Number.NaN, Date.UTC(2199, 0), Infinity]) {
      harness.nowMs = NOW
      const token = await harness.token({ [SPACE]: 'writer' }, 1e10)
      harness.nowMs = wrong
      const health = await harness.server.app.request('/healthz')
      expect([health.status, await health.json()]).toMatchObject([
        503,
        { ready: false, checks: { clock: false, store: true } },
      ])
      if (wrong !== 0) continue
      const [refused] = await harness.exchange([{ type: 'push', id: 1, batches: [makeTestBatch(ann).bytes] }], token)
      expect(refused).toMatchObject({ type: 'pushed', outcomes: [{ kind: 'refused', code: 'UNAVAILABLE' }] })
    }
    expect((await harness.store.vector(SPACE)).size).toBe(0)
    harness.nowMs = NOW
    expect((await harness.server.app.request('/healthz')).status).toBe(200)
  })

  it('takes in one history once, however many push it at the same time', async () => {
    const history = makeTestHistory(ann, [1, 2, 1, 3, 1])
    const sockets = await Promise.all([1, 2, 3, 4].map(() => harness.greeted()))
    for (const [index, batch] of history.entries()) {
      for (const socket of sockets) socket.send({ type: 'push', id: index, batches: [batch.bytes] })
    }
    const outcomes = await Promise.all(sockets.map((socket) => outcomesOf(socket, history.length)))
    for (const index of history.keys()) {
      const kinds = outcomes.map((each) => each[index]).sort()
      expect(kinds).toEqual(['appended', 'duplicate', 'duplicate', 'duplicate'])
    }
    expect(await harness.store.vector(SPACE)).toEqual(new Map([[ann.device, 8]]))
  })
})

const outcomesOf = async (socket: Socket, count: number): Promise<string[]> => {
  const kinds: string[] = []
  while (kinds.length < count) kinds.push(...(await socket.pushed()).outcomes.map(({ kind }) => kind))
  return kinds
}

describe('a store that fails', () => {
  const failing = (what: Partial<BatchStore>): BatchStore => {
    const store = memoryStore()
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(what, name) ?? Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  const full = async (): Promise<never> => {
    throw new DriftlogError('STORAGE_FULL')
  }
  const broken = async (): Promise<never> => {
    throw new TypeError('a bug of an adapter')
  }

  it.each([full, broken])('ING6 acknowledges nothing, and says UNAVAILABLE', async (fails) => {
    await restart({ store: failing({ append: fails }) })
    const unavailable = { kind: 'refused', code: 'UNAVAILABLE', details: {} }
    expect(await push(...makeTestHistory(ann, [1, 1]))).toEqual([unavailable, unavailable])
    const socket = await harness.greeted()
    socket.send({ type: 'push', id: 3, batches: [makeTestBatch(ann).bytes] })
    expect((await socket.next('pushed')).outcomes).toEqual([unavailable])
  })

  it.each([full, broken])('is not ready, and answers every other question with UNAVAILABLE', async (fails) => {
    await restart({ store: failing({ end: fails, readAbove: fails, tips: fails, certificate: fails }) })
    expect((await harness.server.app.request('/healthz')).status).toBe(503)
    const [, second] = makeTestHistory(ann, [1, 1])
    expect(await push(second)).toMatchObject([{ code: 'UNAVAILABLE' }])
    const [page] = await harness.exchange([{ type: 'pull', id: 1, above: encodeVector(emptyVector) }])
    expect(page).toMatchObject({ type: 'refused', id: 1, code: 'UNAVAILABLE' })
    const socket = await harness.socket()
    socket.send({ ...bareHello(SPACE), token: await harness.token(), digest: tipsDigest(new Map()) })
    expect(await socket.next('refused')).toMatchObject({ code: 'UNAVAILABLE' })
    expect((await socket.closed).code).toBe(1013)
  })
})

describe('live sessions', () => {
  it('SYNC11, SYNC12 get what others push, in order and without a gap, and not what they push themselves', async () => {
    const [a, b] = [await harness.greeted(), await harness.greeted()]
    const history = makeTestHistory(ann, [1, 2, 1])
    for (const [id, batch] of history.entries()) {
      a.send({ type: 'push', id, batches: [batch.bytes] })
      await a.pushed()
    }
    // One more, so that the last echo has its turn.
    await harness.store.append(SPACE, makeTestHistory(bob, [1]))
    const seen: Uint8Array[] = []
    let position = 0
    while (seen.length < 3) {
      const page = await b.next('page')
      expect(page.id).toBeUndefined()
      expect(page.from).toBe(position)
      position = page.cursor.position
      seen.push(...page.batches)
    }
    expect(seen.slice(0, 3)).toEqual(history.map(({ bytes }) => bytes))
    const echoes: Uint8Array[] = []
    for (let cursor = 0; cursor < 4; ) {
      const echo = await a.next('page')
      echoes.push(...echo.batches)
      cursor = echo.cursor.position
    }
    expect(echoes).toEqual(makeTestHistory(bob, [1]).map(({ bytes }) => bytes))
  })

  it('begin where the last page ended', async () => {
    const history = makeTestHistory(ann, [1, 1])
    await harness.store.append(SPACE, history.slice(0, 1))
    const socket = await harness.greeted()
    await harness.store.append(SPACE, history.slice(1))
    socket.send({ type: 'pull', id: 5, after: { position: 0, tag: new Uint8Array(0) } })
    expect(await socket.next('page')).toMatchObject({ id: 5, from: 0, more: false, cursor: { position: 2 } })
    await harness.store.append(SPACE, makeTestHistory(bob, [1]))
    expect(await socket.next('page')).toMatchObject({ from: 2, cursor: { position: 3 } })
  })

  it('SYNC9 say BASE_MISMATCH to a cursor of another history', async () => {
    await harness.store.append(SPACE, makeTestHistory(ann, [1]))
    const socket = await harness.greeted()
    socket.send({ type: 'pull', id: 5, after: { position: 1, tag: new Uint8Array(16) } })
    expect(await socket.next('refused')).toMatchObject({ id: 5, code: 'BASE_MISMATCH' })
    socket.send({ type: 'ping' })
    await socket.next('pong')
  })
})

describe('what a stranger may cost', () => {
  it('SOCK1 a socket that does not say hello in time is closed', async () => {
    await restart({ limits: { helloMs: 30 } })
    const socket = await harness.socket()
    expect(await socket.next('refused')).toMatchObject({ code: 'UNAUTHORIZED' })
    expect((await socket.closed).code).toBe(1008)
    expect(harness.server.connections).toBe(0)
  })

  it('sockets are counted, and one too many is turned away', async () => {
    await restart({ limits: { connections: 2 } })
    const first = await harness.greeted()
    await harness.greeted()
    await expect(harness.socket()).rejects.toThrow('503')
    first.close()
    await expect.poll(() => harness.server.connections).toBe(1)
    await harness.greeted()
  })

  it('a peer that does not answer pings is dropped', async () => {
    await restart({ limits: { heartbeatMs: 40 } })
    const silent = await harness.greeted()
    const lively = await harness.greeted()
    silent.raw.pong = () => {}
    ;(silent.raw as unknown as { _autoPong: boolean })._autoPong = false
    ;(silent.raw as unknown as { _receiver: { removeAllListeners(name: string): void } })._receiver.removeAllListeners(
      'ping',
    )
    await silent.closed
    lively.send({ type: 'ping' })
    await lively.next('pong')
  })

  it('SOCK3 messages that come too fast wait, and are all answered', async () => {
    await restart({ limits: { messagesPerSecond: 100, burstSeconds: 0.1 } })
    // The clock of the rates must go for this one.
    const started = Date.now()
    const tick = setInterval(() => {
      harness.nowMs = NOW + Date.now() - started
    }, 1)
    const socket = await harness.greeted()
    for (let count = 0; count < 40; count++) socket.send({ type: 'ping' })
    for (let count = 0; count < 40; count++) await socket.next('pong')
    clearInterval(tick)
    expect(Date.now() - started).toBeGreaterThan(200)
  })

  it('an exchange too many is RATE_LIMITED, for that subject', async () => {
    await restart({ limits: { messagesPerSecond: 2, burstSeconds: 1 } })
    const pull = { type: 'pull', id: 1, above: encodeVector(emptyVector) } as const
    await harness.exchange([pull, pull])
    const response = await harness.post(new Uint8Array(0))
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.json()).toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterMs: 500 } })
    harness.nowMs += 500
    await harness.exchange([])
  })

  it('SOCK4 a reader that does not read is dropped, and others are served', async () => {
    await restart({ limits: { sendBufferBytes: 400_000, slowReaderMs: 200 } })
    const slow = await harness.greeted()
    slow.raw.pause()
    const good = await harness.greeted()
    let last = makeTestBatch(ann, { body: new Uint8Array(900_000) })
    await harness.store.append(SPACE, [last])
    for (let count = 0; count < 15; count++) {
      last = makeTestBatch(ann, { previous: last, body: new Uint8Array(900_000).fill(count) })
      await harness.store.append(SPACE, [last])
    }
    let position = 0
    while (position < 16) position = (await good.next('page')).cursor.position
    await expect.poll(() => harness.server.connections, { timeout: 5_000 }).toBe(1)
  })

  it('SOCK5 nothing is left open when the server closes', async () => {
    const socket = await harness.greeted()
    await harness.close()
    await socket.closed
    expect(harness.server.connections).toBe(0)
    harness = new Harness()
  })
})
