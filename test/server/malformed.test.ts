/** PRO2, SOCK2: whatever comes, the answer is a catalogued code, nothing is stored, and the process serves on. */
import { request } from 'node:http'
import { connect } from 'node:net'
import {
  bareHello,
  cryptoReady,
  emptyVector,
  encodeExchange,
  encodeFrame,
  encodeVector,
  equalBytes,
  EXCHANGE_CONTENT_TYPE,
  isErrorCode,
  MAX_EXCHANGE_BYTES,
  MAX_FRAME_BYTES,
  startCursor,
  tipsDigest,
  PROTOCOL_VERSION,
} from '@driftlog/core'
import { makeTestDevice, makeTestHistory, type TestBatch } from '@driftlog/testkit'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Harness, type Socket, SPACE } from './harness.ts'

let harness: Harness
let batch: TestBatch
let token: string

beforeAll(cryptoReady)
beforeEach(async () => {
  harness = new Harness({ limits: { messagesPerSecond: 1e9, bytesPerSecond: 1e12 } })
  token = await harness.token()
  ;[batch] = makeTestHistory(makeTestDevice(SPACE, 'ann'), [2])
})
afterEach(() => harness.close())

/** Nothing is stored but the batch itself, byte for byte. Answers whether it is. */
const isStored = async (): Promise<boolean> => {
  const { batches } = await harness.store.readAfter(SPACE, startCursor, { batches: 9, bytes: 1e9 })
  expect(batches.length).toBeLessThanOrEqual(1)
  for (const stored of batches) expect(equalBytes(stored.batch.bytes, batch.bytes)).toBe(true)
  return batches.length === 1
}

const stillServes = async (): Promise<void> => {
  const [answer] = await harness.exchange([{ type: 'pull', id: 7, above: encodeVector(emptyVector) }], token)
  expect(answer).toMatchObject({ type: 'page', id: 7 })
}

const hostile: Record<string, Uint8Array> = {
  nothing: new Uint8Array(0),
  'nesting of 100,000 arrays': new Uint8Array(100_000).fill(0x91),
  'nesting of 100,000 maps': new Uint8Array(200_000).map((_, index) => (index % 2 === 0 ? 0x81 : 0xa0)),
  'an array said to have 2^32 - 1 items': Uint8Array.of(0xdd, 255, 255, 255, 255),
  'a map said to have 2^32 - 1 items': Uint8Array.of(0xdf, 255, 255, 255, 255),
  'bytes said to be 4 GiB': Uint8Array.of(0xc6, 255, 255, 255, 255),
  'text said to be 4 GiB': Uint8Array.of(0xdb, 255, 255, 255, 255),
  'an extension said to be 4 GiB': Uint8Array.of(0xc9, 255, 255, 255, 255, 1),
  'a date': Uint8Array.of(0xd6, 0xff, 0, 0, 0, 0),
  'a record definition of msgpackr': Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1),
  'an error of msgpackr': Uint8Array.of(0xc7, 2, 0x65, 0x91, 0xa0),
  'a million nulls': new Uint8Array(1_000_000).fill(0xc0),
  'a map with the key __proto__': Uint8Array.of(0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x80),
  'an unknown type': Uint8Array.of(0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xa1, 0x78),
  'a type that is a number': Uint8Array.of(0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 1),
  HTML: new TextEncoder().encode('<!doctype html><title>Log in to Wi-Fi</title>'),
}

const prefixed = (frame: Uint8Array): Uint8Array => {
  const length: number[] = []
  let left = frame.length
  for (; left > 127; left = Math.floor(left / 128)) length.push((left % 128) | 128)
  return Uint8Array.from([...length, left, ...frame])
}

describe('the door of HTTP', () => {
  const refusedOrAnswered = async (body: Uint8Array): Promise<void> => {
    const response = await harness.post(body, { token })
    if (response.status === 200) return
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
    const { code, message, details } = (await response.json()) as Record<string, unknown>
    expect([isErrorCode(code), typeof message, typeof details]).toEqual([true, 'string', 'object'])
    expect(message).not.toMatch(/\n\s+at /)
  }

  it('stands every flipped byte', async () => {
    const body = encodeExchange([bareHello(SPACE), { type: 'push', id: 1, batches: [batch.bytes] }])
    for (let index = 0; index < body.length; index++) {
      for (const mask of [0xff, 0x01, 0x80]) {
        const flipped = body.slice()
        flipped[index] ^= mask
        await refusedOrAnswered(flipped)
        await isStored()
      }
    }
    await stillServes()
  })

  it('stands every truncation, and does nothing of it', async () => {
    const body = encodeExchange([bareHello(SPACE), { type: 'push', id: 1, batches: [batch.bytes] }])
    for (let length = 0; length < body.length; length++) {
      await refusedOrAnswered(body.subarray(0, length))
      expect(await isStored()).toBe(false)
    }
    await stillServes()
  })

  it('stands random bytes', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), refusedOrAnswered), { numRuns: 500 })
    expect(await isStored()).toBe(false)
    await stillServes()
  })

  it.each(Object.entries(hostile))('refuses %s', async (_, frame) => {
    for (const body of [frame, prefixed(frame), prefixed(prefixed(frame))]) {
      const response = await harness.post(body, { token })
      // An empty body is an exchange of nothing.
      if (body.length > 0)
        expect(await response.json()).toMatchObject({ code: expect.stringMatching(/^MALFORMED$|^TOO_LARGE$/) })
    }
    await stillServes()
  })

  it('refuses what is not opened by a hello, another space, a newer protocol, and too many pulls', async () => {
    const codeOf = async (body: Uint8Array): Promise<unknown> =>
      (await (await harness.post(body, { token })).json()) as unknown
    const push = { type: 'push', id: 1, batches: [batch.bytes] } as const
    const pull = { type: 'pull', id: 1, above: encodeVector(emptyVector) } as const
    expect(await codeOf(encodeExchange([push]))).toMatchObject({ code: 'PROTOCOL_VIOLATION' })
    expect(await codeOf(encodeExchange([bareHello('other'), push]))).toMatchObject({ code: 'PROTOCOL_VIOLATION' })
    expect(await codeOf(encodeExchange([{ ...bareHello(SPACE), protocol: PROTOCOL_VERSION + 1 }, push]))).toMatchObject(
      {
        code: 'PROTOCOL_VERSION',
        details: { theirs: PROTOCOL_VERSION + 1, ours: PROTOCOL_VERSION },
      },
    )
    // Pages of batches or of entries: five of them could be more than an answer may have.
    const entries = { type: 'entries', id: 1, after: 0 } as const
    for (const page of [pull, entries])
      expect(await codeOf(encodeExchange([bareHello(SPACE), page, pull, entries, pull, entries]))).toMatchObject({
        code: 'PROTOCOL_VIOLATION',
      })
    expect(await codeOf(new Uint8Array(130).fill(0))).toMatchObject({ code: 'MALFORMED' })
    expect(await isStored()).toBe(false)
  })

  it('refuses another content type', async () => {
    const response = await harness.server.app.request(`/spaces/${SPACE}/sync`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
      body: encodeExchange([bareHello(SPACE)]) as Uint8Array<ArrayBuffer>,
    })
    expect(await response.json()).toMatchObject({ code: 'MALFORMED' })
  })

  const upload = async (headers: Record<string, string>, send: (write: (chunk: Uint8Array) => void) => void) => {
    const url = new URL(`/spaces/${SPACE}/sync`, await harness.url())
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const post = request(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': EXCHANGE_CONTENT_TYPE, ...headers },
      })
      post.on('response', (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        response.on('end', () => {
          post.destroy()
          resolve({ status: response.statusCode ?? 0, text })
        })
      })
      post.on('error', reject)
      send((chunk) => post.write(chunk))
    })
  }

  it('refuses a body that says it is too large before it has come', async () => {
    const { status, text } = await upload({ 'content-length': String(MAX_EXCHANGE_BYTES + 1) }, (write) =>
      write(Uint8Array.of(1)),
    )
    expect([status, JSON.parse(text).code]).toEqual([413, 'TOO_LARGE'])
    await stillServes()
  })

  it('refuses a body without a length as soon as it is too large', async () => {
    const { status, text } = await upload({ 'transfer-encoding': 'chunked' }, (write) => {
      for (let megabyte = 0; megabyte <= 8; megabyte++) write(new Uint8Array(1_048_576))
    })
    expect([status, JSON.parse(text).code]).toEqual([413, 'TOO_LARGE'])
    await stillServes()
  })

  it('refuses a frame above the limit within an exchange', async () => {
    const response = await harness.post(prefixedLarge(MAX_FRAME_BYTES + 1), { token })
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([413, 'TOO_LARGE'])
  })

  it('stands garbage on the wire and upgrades to other protocols', async () => {
    const { port } = new URL(await harness.url())
    for (const text of [
      '\0\0\0\0garbage\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      'GET //[ HTTP/1.1\r\nHost: [\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(text))
        socket.on('data', () => socket.end())
        socket.on('error', () => resolve())
        socket.on('close', () => resolve())
      })
    }
    await stillServes()
  })
})

const prefixedLarge = (length: number): Uint8Array => {
  const body = new Uint8Array(length + 3)
  body.set([(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14])
  return body
}

describe('the door of WebSockets', () => {
  const greet = async (): Promise<Socket> => {
    const socket = await harness.socket()
    socket.send({ ...bareHello(SPACE), token })
    return socket
  }

  /** Ends in a refusal and a close, or in an answer to what was sent. */
  const refusedOrAnswered = async (frame: Uint8Array): Promise<void> => {
    const socket = await greet()
    socket.raw.send(frame)
    // If the frame is taken, this is answered after it.
    socket.send({ type: 'ping' })
    await Promise.race([
      socket.closed,
      (async () => {
        for (;;) {
          const message = await Promise.race([
            socket.next('pong').then(() => 'pong'),
            socket.closed.then(() => 'closed'),
          ]).catch(() => 'other')
          if (message !== 'other') return
        }
      })(),
    ])
    socket.close()
  }

  it('stands flipped bytes', async () => {
    const frame = encodeFrame({ type: 'push', id: 1, batches: [batch.bytes] })
    for (let index = 0; index < frame.length; index++) {
      const flipped = frame.slice()
      flipped[index] ^= 0xff
      await refusedOrAnswered(flipped)
      await isStored()
    }
    await stillServes()
  })

  it('stands truncations', async () => {
    const frame = encodeFrame({ type: 'push', id: 1, batches: [batch.bytes] })
    for (let length = 0; length < frame.length; length += 3) {
      await refusedOrAnswered(frame.subarray(0, length))
      expect(await isStored()).toBe(false)
    }
  })

  it('stands random frames', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), refusedOrAnswered), { numRuns: 100 })
    expect(await isStored()).toBe(false)
    await stillServes()
  })

  it.each(Object.entries(hostile))('refuses %s', async (_, frame) => {
    const socket = await greet()
    socket.raw.send(frame)
    expect(await socket.next('refused')).toMatchObject({ code: 'MALFORMED' })
    expect((await socket.closed).code).toBe(1002)
    await stillServes()
  })

  it('refuses text, and a frame above the limit', async () => {
    const texted = await greet()
    texted.raw.send('{"type":"ping"}')
    expect(await texted.next('refused')).toMatchObject({ code: 'MALFORMED' })
    expect((await texted.closed).code).toBe(1003)
    const flooded = await greet()
    flooded.raw.send(new Uint8Array(MAX_FRAME_BYTES + 1))
    expect((await flooded.closed).code).toBe(1009)
    await stillServes()
  })

  it('refuses a push before the hello, and a second hello', async () => {
    const early = await harness.socket()
    early.send({ type: 'push', id: 1, batches: [batch.bytes] })
    expect(await early.next('refused')).toMatchObject({ code: 'PROTOCOL_VIOLATION' })
    await early.closed
    const twice = await harness.greeted()
    twice.send({ ...bareHello(SPACE), token, digest: tipsDigest(new Map()) })
    expect(await twice.next('refused')).toMatchObject({ code: 'PROTOCOL_VIOLATION' })
    await twice.closed
    expect(await isStored()).toBe(false)
  })

  it('tells a newer client to wait', async () => {
    const socket = await harness.socket()
    socket.send({ ...bareHello(SPACE), token, protocol: 9 })
    expect(await socket.next('refused')).toMatchObject({ code: 'PROTOCOL_VERSION' })
  })
})
