/** What transports make of servers that are no servers, or not any more. Tiny servers on loopback. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { http, type Transport, type TransportEvents, webSocket } from '@driftlog/client'
import {
  bareHello,
  encodeExchange,
  encodeFrame,
  type ErrorCode,
  EXCHANGE_CONTENT_TYPE,
  MAX_EXCHANGE_BYTES,
  type ServerMessage,
} from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const listenOn = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Connects and remembers every event. */
const connect = (transport: Transport) => {
  const heard: (string | { closed: ErrorCode | undefined })[] = []
  const messages: ServerMessage[] = []
  const events: TransportEvents = {
    opened: () => heard.push('opened'),
    message: (message) => {
      heard.push(message.type)
      messages.push(message)
    },
    closed: (failure) => heard.push({ closed: failure?.code }),
  }
  const connection = transport.connect('home', events)
  cleanups.push(() => connection.close())
  return { connection, heard, messages }
}

const hello = bareHello('home')
const pause = (ms = 30) => new Promise((resolve) => setTimeout(resolve, ms))
const pong: ServerMessage = { type: 'pong' }

const badTokens: Record<string, () => string | Promise<string>> = {
  'a token function that throws': () => {
    throw new Error('no one is signed in')
  },
  'a token function that rejects': () => Promise.reject(new Error('offline')),
}
const brokenTokens: Record<string, () => string> = {
  'no token': () => undefined as unknown as string,
  'a token without end': () => 'x'.repeat(100_000),
  'a token that is no text': () => 'a\ud800',
}

describe('http', () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => void
  const token = () => 'token'

  const serve = async (answer: Answer): Promise<string> =>
    `http://127.0.0.1:${await listenOn(
      createServer((request, response) => {
        request.resume()
        request.on('end', () => answer(request, response))
      }),
    )}`

  const answerWith = (status: number, contentType: string, body: string | Uint8Array): Answer => {
    return (_, response) => response.writeHead(status, { 'content-type': contentType }).end(body)
  }

  const say = async (answer: Answer, source: () => string | Promise<string> = token) => {
    const line = connect(http(await serve(answer), { token: source }))
    line.connection.send([hello])
    await expect.poll(() => line.heard.length).toBeGreaterThan(1)
    await pause()
    return line.heard
  }

  const refusal = (code: string) => JSON.stringify({ code, message: 'because', details: {} })

  it.each<[string, Answer, ErrorCode | undefined]>([
    ['a captive portal: HTML, 200', answerWith(200, 'text/html', '<h1>Welcome to Hotel</h1>'), 'UNAVAILABLE'],
    ['a proxy: HTML, 502', answerWith(502, 'text/html', '<h1>Bad gateway</h1>'), 'UNAVAILABLE'],
    ['a coded refusal, 404', answerWith(404, 'application/json', refusal('NOT_FOUND')), 'NOT_FOUND'],
    [
      'a coded refusal, 401',
      answerWith(401, 'application/json; charset=utf-8', refusal('UNAUTHORIZED')),
      'UNAUTHORIZED',
    ],
    ['JSON with an unknown code', answerWith(400, 'application/json', refusal('NO_SUCH_CODE')), 'UNAVAILABLE'],
    ['JSON without a code', answerWith(500, 'application/json', 'null'), 'UNAVAILABLE'],
    ['JSON that is none', answerWith(200, 'application/json', '{'), 'UNAVAILABLE'],
    ['garbage of the right type', answerWith(200, EXCHANGE_CONTENT_TYPE, 'garbage'), 'MALFORMED'],
    [
      'an answer above the limit',
      answerWith(200, EXCHANGE_CONTENT_TYPE, new Uint8Array(MAX_EXCHANGE_BYTES + 1)),
      'TOO_LARGE',
    ],
    [
      'HTML without end',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' })
        const more = setInterval(() => response.write('<p>buy</p>'.repeat(10_000)), 1)
        response.on('close', () => clearInterval(more))
      },
      'UNAVAILABLE',
    ],
    [
      'an exchange without end',
      (_, response) => {
        response.writeHead(200, { 'content-type': EXCHANGE_CONTENT_TYPE })
        const more = setInterval(() => response.write(new Uint8Array(1_000_000)), 1)
        response.on('close', () => clearInterval(more))
      },
      'TOO_LARGE',
    ],
    ['a connection that is cut', (request) => request.socket.destroy(), undefined],
    [
      'an answer that is cut',
      (request, response) => {
        response.writeHead(200, { 'content-type': EXCHANGE_CONTENT_TYPE, 'content-length': '100' })
        response.write(new Uint8Array(10), () => request.socket.destroy())
      },
      undefined,
    ],
  ])('%s: closed once, with the code that fits', async (_, answer, code) => {
    expect(await say(answer)).toEqual(['opened', { closed: code }])
  })

  it.each(Object.entries(badTokens))('%s: just no connection', async (_, source) => {
    expect(await say(() => expect.unreachable(), source)).toEqual(['opened', { closed: undefined }])
  })

  it.each(Object.entries(brokenTokens))('%s: UNAUTHORIZED', async (_, source) => {
    expect(await say(() => expect.unreachable(), source)).toEqual(['opened', { closed: 'UNAUTHORIZED' }])
  })

  it('exchanges go one after the other, however slow, and stop with the first that fails', async () => {
    let running = 0
    let most = 0
    let count = 0
    const url = await serve((_, response) => {
      most = Math.max(most, ++running)
      const call = ++count
      setTimeout(() => {
        running--
        if (call === 3) response.writeHead(503).end()
        else response.writeHead(200, { 'content-type': EXCHANGE_CONTENT_TYPE }).end(encodeExchange([pong]))
      }, 10)
    })
    const { connection, heard } = connect(http(url, { token }))
    for (let call = 1; call <= 5; call++) connection.send([{ type: 'ping' }])
    await expect.poll(() => heard.length).toBe(4)
    await pause()
    connection.send([{ type: 'ping' }])
    await pause()
    expect(heard).toEqual(['opened', 'pong', 'pong', { closed: 'UNAVAILABLE' }])
    expect({ most, count }).toEqual({ most: 1, count: 3 })
  })

  it.each(['while the token is fetched', 'while the server thinks', 'while the answer comes'])(
    'close %s: the request is given up, and nothing is heard of it',
    async (when) => {
      let reached = false
      let gone = false
      const url = await serve((request, response) => {
        reached = true
        request.socket.on('close', () => {
          gone = true
        })
        if (when !== 'while the answer comes') return
        response.writeHead(200, { 'content-type': EXCHANGE_CONTENT_TYPE }).write(new Uint8Array(3))
      })
      let giveToken: (token: string) => void = () => {}
      const late = () => new Promise<string>((resolve) => (giveToken = resolve))
      const isEarly = when === 'while the token is fetched'
      const { connection, heard } = connect(http(url, { token: isEarly ? late : token }))
      connection.send([hello])
      if (isEarly) await pause()
      else await expect.poll(() => reached).toBe(true)
      connection.close()
      giveToken('token')
      await pause()
      expect(heard).toEqual(['opened'])
      expect({ reached, gone }).toEqual({ reached: !isEarly, gone: !isEarly })
    },
  )
})

describe('webSocket', () => {
  const token = () => 'a secret token'

  const serve = async (onSocket: (socket: ServerSocket, request: IncomingMessage) => void) => {
    const server = createServer()
    const sockets = new WebSocketServer({ server })
    const errors: Error[] = []
    sockets.on('connection', (socket, request) => {
      socket.on('error', (error) => errors.push(error))
      onSocket(socket, request)
    })
    return `http://127.0.0.1:${await listenOn(server)}`
  }

  it('puts the token into the hello, never into the URL', async () => {
    const seen: { url: string | undefined; frame: string }[] = []
    const url = await serve((socket, request) => {
      socket.on('message', (data: Buffer) => {
        seen.push({ url: request.url, frame: data.toString('latin1') })
        socket.send(encodeFrame(pong))
      })
    })
    const { connection, heard } = connect(webSocket(`${url}/prefix/`, { token }))
    await expect.poll(() => heard).toEqual(['opened'])
    connection.send([hello, { type: 'ping' }])
    await expect.poll(() => heard).toEqual(['opened', 'pong', 'pong'])
    expect(seen.map((each) => each.url)).toEqual(['/prefix/spaces/home/sync', '/prefix/spaces/home/sync'])
    expect(seen.map(({ frame }) => frame.includes('a secret token'))).toEqual([true, false])
  })

  it.each<[string, (socket: ServerSocket) => void, ErrorCode | undefined]>([
    ['a server that closes', (socket) => socket.close(1001), undefined],
    ['a server that drops', (socket) => socket.terminate(), undefined],
    ['a text frame', (socket) => socket.send('hello'), 'MALFORMED'],
    ['a frame of garbage', (socket) => socket.send(new Uint8Array([1, 2, 3])), 'MALFORMED'],
    ['an empty frame', (socket) => socket.send(new Uint8Array(0)), 'MALFORMED'],
    ['a frame above the limit', (socket) => socket.send(new Uint8Array(2_000_000)), 'TOO_LARGE'],
  ])('%s: closed once, and nothing is heard after it', async (_, act, code) => {
    const url = await serve((socket) => {
      act(socket)
      if (socket.readyState === socket.OPEN) socket.send(encodeFrame(pong))
    })
    const { connection, heard } = connect(webSocket(url, { token }))
    await expect.poll(() => heard.length).toBe(2)
    await pause()
    connection.send([hello])
    expect(heard).toEqual(['opened', { closed: code }])
  })

  it('no server, an HTTP server, or one that says nothing: never opened, closed once', async () => {
    const plain = await listenOn(createServer((_, response) => response.writeHead(200).end('<h1>Hotel</h1>')))
    const closing = await listenOn(createTcpServer((socket) => socket.destroy()))
    const silent = await listenOn(createTcpServer())
    const gone = createTcpServer()
    const nobody = await listenOn(gone)
    await new Promise((resolve) => gone.close(resolve))
    const lines = [plain, closing, nobody, silent].map((port) =>
      connect(webSocket(`ws://127.0.0.1:${port}`, { token })),
    )
    await expect.poll(() => lines.slice(0, 3).every(({ heard }) => heard.length > 0)).toBe(true)
    await pause()
    const never = [{ closed: undefined }]
    expect(lines.map(({ heard }) => heard)).toEqual([never, never, never, []])
    lines[3].connection.close()
    await pause()
    expect(lines[3].heard).toEqual([])
  })

  it.each(Object.entries(badTokens))('%s: just no connection', async (_, source) => {
    const { heard } = connect(webSocket('ws://127.0.0.1:9', { token: source }))
    await expect.poll(() => heard).toEqual([{ closed: undefined }])
  })

  it.each(Object.entries(brokenTokens))('%s: UNAUTHORIZED', async (_, source) => {
    const { heard } = connect(webSocket('ws://127.0.0.1:9', { token: source }))
    await expect.poll(() => heard).toEqual([{ closed: 'UNAUTHORIZED' }])
  })

  it('closed while the token is fetched: no socket is opened', async () => {
    let sockets = 0
    const url = await serve(() => sockets++)
    let giveToken: (token: string) => void = () => {}
    const { connection, heard } = connect(
      webSocket(url, { token: () => new Promise((resolve) => (giveToken = resolve)) }),
    )
    await pause()
    connection.close()
    giveToken('token')
    await pause()
    expect({ sockets, heard }).toEqual({ sockets: 0, heard: [] })
  })

  it('closed as soon as it is asked for, or before anything is answered: nothing is heard', async () => {
    const url = await serve((socket) => socket.send(encodeFrame(pong)))
    const [at, later] = [connect(webSocket(url, { token })), connect(webSocket(url, { token }))]
    at.connection.close()
    await Promise.resolve()
    later.connection.close()
    later.connection.send([hello])
    await pause()
    expect([at.heard, later.heard]).toEqual([[], []])
  })

  it('a large backlog goes out whole and in order', async () => {
    const ids: number[] = []
    const url = await serve((socket) => {
      socket.on('message', (data: Buffer) => {
        ids.push(data.length)
        if (ids.length === 50) socket.send(encodeFrame(pong))
      })
    })
    const { connection, heard } = connect(webSocket(url, { token }))
    await expect.poll(() => heard).toEqual(['opened'])
    const push = { type: 'push', id: 1, batches: [new Uint8Array(900_000)] } as const
    connection.send(Array.from({ length: 50 }, () => push))
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual(['opened', 'pong'])
    expect(new Set(ids)).toEqual(new Set([encodeFrame(push).length]))
  })
})
