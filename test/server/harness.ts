/** A server on loopback with a store in memory and a clock that stands where it is put, and the plainest of clients. */
import {
  type BatchStore,
  bareHello,
  type ClientMessage,
  decodeServerExchange,
  decodeServerFrame,
  type DeviceId,
  encodeExchange,
  encodeFrame,
  EXCHANGE_CONTENT_TYPE,
  memoryStore,
  type Role,
  type ServerMessage,
  systemPorts,
  type Tip,
  tipsDigest,
} from '@driftlog/core'
import {
  createServer,
  type DriftlogServer,
  jwt,
  listen,
  type Listening,
  mintToken,
  type ServerOptions,
} from '@driftlog/server'
import { WebSocket } from 'ws'

export const SPACE = 'home'
export const NOW = Date.UTC(2026, 5, 1)
const secret = 'a secret that only these tests know'

export class Harness {
  nowMs = NOW
  readonly store: BatchStore
  readonly server: DriftlogServer
  #listening: Listening | undefined
  readonly #sockets = new Set<Socket>()

  constructor(options: Partial<ServerOptions> = {}) {
    this.store = options.store ?? memoryStore()
    const ports = { ...systemPorts, clock: { now: () => this.nowMs } }
    this.server = createServer({ auth: jwt({ secret }), ports, ...options, store: this.store })
  }

  token(spaces: Record<string, Role> = { [SPACE]: 'writer' }, expiresInSeconds = 3_600): Promise<string> {
    return mintToken({ secret, subject: 'ann', spaces, expiresInSeconds, nowMs: this.nowMs })
  }

  async url(): Promise<string> {
    this.#listening ??= await listen(this.server, { port: 0 })
    return this.#listening.url
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.close()
    await this.#listening?.close()
    await this.store.close()
  }

  /** Any body at the HTTP door, without a network. */
  async post(body: Uint8Array, options: { token?: string | undefined; space?: string } = {}): Promise<Response> {
    const token = 'token' in options ? options.token : await this.token()
    return this.server.app.request(`/spaces/${options.space ?? SPACE}/sync`, {
      method: 'POST',
      headers: {
        'content-type': EXCHANGE_CONTENT_TYPE,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: body as Uint8Array<ArrayBuffer>,
    })
  }

  /** Messages at the HTTP door; a bare hello is put before them. */
  async exchange(messages: readonly ClientMessage[], token?: string): Promise<ServerMessage[]> {
    const body = encodeExchange([bareHello(SPACE), ...messages])
    const response = await this.post(body, token === undefined ? {} : { token })
    if (response.status !== 200) throw new Error(await response.text())
    return decodeServerExchange(new Uint8Array(await response.arrayBuffer()))
  }

  async socket(space = SPACE, headers: Record<string, string> = {}): Promise<Socket> {
    const url = `${(await this.url()).replace('http', 'ws')}/spaces/${space}/sync`
    const socket = new Socket(new WebSocket(url, { headers }))
    this.#sockets.add(socket)
    await socket.opened
    return socket
  }

  /** A socket that has said hello. */
  async greeted(held: ReadonlyMap<DeviceId, Tip> = new Map(), token?: string): Promise<Socket> {
    const socket = await this.socket()
    socket.send({ ...bareHello(SPACE), token: token ?? (await this.token()), digest: tipsDigest(held) })
    await socket.next('welcome')
    return socket
  }
}

/** Reads messages one by one; none is lost between two reads. */
export class Socket {
  readonly raw: WebSocket
  readonly opened: Promise<void>
  readonly closed: Promise<{ code: number; reason: string }>
  readonly received: ServerMessage[] = []
  #wake: (() => void) | undefined
  #isClosed = false

  constructor(raw: WebSocket) {
    this.raw = raw
    raw.binaryType = 'arraybuffer'
    this.opened = new Promise((resolve, reject) => {
      raw.once('open', resolve)
      raw.once('error', reject)
    })
    this.closed = new Promise((resolve) => {
      raw.once('close', (code, reason) => {
        this.#isClosed = true
        this.#wake?.()
        resolve({ code, reason: reason.toString() })
      })
    })
    raw.on('error', () => {})
    raw.on('message', (data: ArrayBuffer) => {
      this.received.push(decodeServerFrame(new Uint8Array(data)))
      this.#wake?.()
    })
  }

  send(message: ClientMessage): void {
    this.raw.send(encodeFrame(message))
  }

  /** The next message, which must be of this type. */
  async next<Type extends ServerMessage['type']>(type: Type): Promise<ServerMessage & { type: Type }> {
    while (this.received.length === 0) await this.#something()
    const message = this.received.shift()
    if (message?.type !== type) throw new Error(`${type} expected, not ${message?.type}`)
    return message as ServerMessage & { type: Type }
  }

  /** The answer to a push; live pages before it are passed over. */
  async pushed(): Promise<ServerMessage & { type: 'pushed' }> {
    for (;;) {
      const page = this.received[0]
      if (page?.type === 'page') this.received.shift()
      else if (page !== undefined) return this.next('pushed')
      else await this.#something()
    }
  }

  async #something(): Promise<void> {
    if (this.#isClosed) throw new Error('closed')
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  close(): void {
    this.raw.terminate()
  }
}
