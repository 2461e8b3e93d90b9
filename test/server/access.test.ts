/** ING5, ING7: only members' bytes come in, and a space's bytes reach only its members. */
import {
  bareHello,
  cryptoReady,
  emptyVector,
  encodeExchange,
  encodeVector,
  type Role,
  tipsDigest,
} from '@driftlog/core'
import { mintToken } from '@driftlog/server'
import { makeTestDevice, makeTestHistory, type TestBatch } from '@driftlog/testkit'
import { sign } from 'hono/jwt'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Harness, NOW, SPACE } from './harness.ts'

const secret = 'a secret that only these tests know'
const seconds = NOW / 1_000
let harness: Harness
let stored: TestBatch[]
let fresh: TestBatch

beforeAll(cryptoReady)
beforeEach(async () => {
  harness = new Harness()
  stored = makeTestHistory(makeTestDevice(SPACE, 'ann'), [2, 1])
  ;[fresh] = makeTestHistory(makeTestDevice(SPACE, 'bob'), [1])
  await harness.store.append(SPACE, stored)
})
afterEach(() => harness.close())

const claims = (spaces: unknown) => ({ sub: 'eve', spaces, exp: seconds + 60 })
const own = { [SPACE]: 'admin' }

const tokens: Record<string, { make: () => Promise<string | undefined>; code: string }> = {
  none: { make: async () => undefined, code: 'UNAUTHORIZED' },
  nonsense: { make: async () => 'nonsense', code: 'UNAUTHORIZED' },
  'three parts of nonsense': { make: async () => 'a.b.c', code: 'UNAUTHORIZED' },
  'an expired one': { make: () => sign({ ...claims(own), exp: seconds }, secret), code: 'UNAUTHORIZED' },
  'one for later': { make: () => sign({ ...claims(own), nbf: seconds + 9 }, secret), code: 'UNAUTHORIZED' },
  'one without an end': { make: () => sign({ sub: 'eve', spaces: own }, secret), code: 'UNAUTHORIZED' },
  'another secret': { make: () => sign(claims(own), 'another secret, as long as it needs'), code: 'UNAUTHORIZED' },
  'another algorithm': { make: () => sign(claims(own), secret, 'HS512'), code: 'UNAUTHORIZED' },
  'no algorithm': {
    make: async () => `${btoa('{"alg":"none","typ":"JWT"}')}.${btoa(JSON.stringify(claims(own)))}.`.replaceAll('=', ''),
    code: 'UNAUTHORIZED',
  },
  'an unknown role': { make: () => sign(claims({ [SPACE]: 'owner' }), secret), code: 'UNAUTHORIZED' },
  'no spaces': { make: () => sign({ sub: 'eve', exp: seconds + 60 }, secret), code: 'UNAUTHORIZED' },
  'a reader of another space': { make: () => harness.token({ other: 'reader' }), code: 'NOT_FOUND' },
  'a writer of another space': { make: () => harness.token({ other: 'writer' }), code: 'NOT_FOUND' },
  'an admin of another space': { make: () => harness.token({ other: 'admin' }), code: 'NOT_FOUND' },
  'a member of __proto__': { make: () => sign(claims(JSON.parse('{"__proto__":"admin"}')), secret), code: 'NOT_FOUND' },
}

describe.each(Object.entries(tokens))('a stranger with %s', (_, { make, code }) => {
  it(`ING7 gets ${code} from an exchange, and not a byte of the space`, async () => {
    const token = await make()
    const body = encodeExchange([
      bareHello(SPACE),
      { type: 'pull', id: 1, above: encodeVector(emptyVector) },
      { type: 'push', id: 2, batches: [fresh.bytes] },
    ])
    const response = await harness.post(body, { token })
    expect(response.status).toBe(code === 'UNAUTHORIZED' ? 401 : 404)
    const answer = await response.json()
    expect(answer).toEqual({ code, message: expect.any(String), details: {} })
    expect((await harness.store.vector(SPACE)).size).toBe(1)
  })

  it(`ING7 gets ${code} from a socket, and not a byte of the space`, async () => {
    const socket = await harness.socket()
    const token = await make()
    socket.send({ ...bareHello(SPACE), digest: tipsDigest(new Map()), ...(token !== undefined && { token }) })
    socket.send({ type: 'pull', id: 1, above: encodeVector(emptyVector) })
    socket.send({ type: 'push', id: 2, batches: [fresh.bytes] })
    expect(await socket.next('refused')).toMatchObject({ code })
    await socket.closed
    expect(socket.received).toEqual([])
    expect((await harness.store.vector(SPACE)).size).toBe(1)
  })
})

describe.each([
  ['reader', { [SPACE]: 'reader' }],
  ['writer', { [SPACE]: 'writer' }],
  ['admin', { [SPACE]: 'admin' }],
  ['writer', { '*': 'writer' }],
] as [Role, Record<string, Role>][])('a %s by %j', (role, spaces) => {
  const pushed = role === 'reader' ? { kind: 'refused', code: 'FORBIDDEN', details: {} } : { kind: 'appended' }

  it('pulls, and pushes only as a writer: exchange', async () => {
    const [page, answer] = await harness.exchange(
      [
        { type: 'pull', id: 1, above: encodeVector(emptyVector) },
        { type: 'push', id: 2, batches: [fresh.bytes] },
      ],
      await harness.token(spaces),
    )
    expect(page).toMatchObject({ type: 'page', batches: stored.map(({ bytes }) => bytes), more: false })
    expect(answer).toEqual({ type: 'pushed', id: 2, outcomes: [pushed] })
  })

  it('pulls, and pushes only as a writer: socket', async () => {
    const socket = await harness.greeted(new Map(), await harness.token(spaces))
    socket.send({ type: 'pull', id: 1, above: encodeVector(emptyVector) })
    expect((await socket.next('page')).batches).toEqual(stored.map(({ bytes }) => bytes))
    socket.send({ type: 'push', id: 2, batches: [fresh.bytes] })
    expect((await socket.next('pushed')).outcomes).toEqual([pushed])
  })
})

describe('rights', () => {
  it('ING5 end with the token, in the middle of a session', async () => {
    const token = await harness.token({ [SPACE]: 'writer' }, 60)
    const socket = await harness.greeted(await harness.store.tips(SPACE), token)
    harness.nowMs += 61_000
    await harness.store.append(SPACE, [fresh])
    expect(await socket.next('refused')).toMatchObject({ code: 'UNAUTHORIZED' })
    expect((await socket.closed).code).toBe(1008)
    expect(socket.received).toEqual([])
  })

  it('are not minted so that they could never be used', async () => {
    const request = { secret, subject: 'ann', spaces: {}, expiresInSeconds: 60, nowMs: NOW }
    await expect(mintToken({ ...request, secret: 'short' })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(mintToken({ ...request, spaces: { 'a/b': 'reader' } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await expect(mintToken({ ...request, subject: '' })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})

describe('a web page of another origin', () => {
  it('gets no socket and no CORS headers; a listed one gets both, and what names no origin passes', async () => {
    await harness.close()
    harness = new Harness({ origins: ['https://app.example'] })
    await expect(harness.socket(SPACE, { origin: 'https://evil.example' })).rejects.toThrow('403')
    await harness.socket(SPACE, { origin: 'https://app.example' })
    await harness.socket()
    const preflight = (origin: string) =>
      harness.server.app.request(`/spaces/${SPACE}/sync`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    expect((await preflight('https://app.example')).headers.get('access-control-allow-origin')).toBe(
      'https://app.example',
    )
  })
})

describe('other places', () => {
  it('answer with NOT_FOUND as JSON', async () => {
    for (const path of ['/', '/spaces', `/spaces/${SPACE}`, '/spaces/../healthz/x', '/metrics']) {
      const response = await harness.server.app.request(path)
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'NOT_FOUND' })
    }
    const response = await harness.post(new Uint8Array(0), {
      space: 'not%20a%20space',
      token: await harness.token({ '*': 'admin' }),
    })
    expect(await response.json()).toMatchObject({ code: 'NOT_FOUND' })
    await expect(harness.socket('not%20a%20space')).rejects.toThrow('404')
    expect((await harness.server.app.request(`/spaces/${SPACE}/sync`)).status).toBe(426)
  })
})
