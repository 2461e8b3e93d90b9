/**
 * Exchanges over HTTP: a `fetch` for the client's transport that asks the server's app, through a link. An exchange can be
 * lost on its way there or back, come twice, come late, or be answered by something else than the server.
 */
import type { HttpOptions } from '@driftlog/client'
import type { Connected, Direction } from './link.ts'
import type { WireEnds } from './wire.ts'

/** What the transport gives to `fetch`. */
interface Asked {
  readonly body: Uint8Array
  readonly headers: Record<string, string>
  readonly signal: AbortSignal
}

/** What it reads of the answer. */
interface Answer {
  readonly ok: boolean
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array
}

export const fetchOver =
  (ends: WireEnds): NonNullable<HttpOptions['fetch']> =>
  (url, init) => {
    const asked = init as unknown as Asked
    if (!ends.client.call('fetch')) return new Promise(() => undefined)
    return new Promise((resolve, reject) => new Exchange(ends, url as string, asked, resolve, reject).begin())
  }

class Exchange implements Connected {
  readonly #ends: WireEnds
  readonly #url: string
  readonly #asked: Asked
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: Error) => void
  #isOver = false
  readonly #silent = { up: false, down: false }

  constructor(
    ends: WireEnds,
    url: string,
    asked: Asked,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ) {
    this.#ends = ends
    this.#url = url
    this.#asked = asked
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(): void {
    const { kernel, link, client } = this.#ends
    const { body } = this.#asked
    link.connections.add(this)
    kernel.trace.noteBytes(client.name, 'asks', body)
    kernel.emit({ kind: 'dials', name: client.name, atMs: kernel.time.nowMs })
    const copy = body.slice()
    const fault = link.strike('up', () => false)
    if (link.isPartitioned || fault === 'dropFrame') {
      kernel.time.after(link.random.between(1_000, 30_000), () => this.cut())
      return
    }
    if (fault === 'garbageFrame') copy.set(link.random.bytes(Math.min(copy.length, 8)))
    const delayMs = fault === 'delayFrame' ? link.random.spread(500, 20_000) : 0
    kernel.time.at(link.arrivalMs() + delayMs, () => this.#atServer(copy))
    // A proxy that tries again: the server sees it twice, and the first answer counts.
    if (fault === 'duplicateFrame') kernel.time.at(link.arrivalMs() + delayMs + 50, () => this.#atServer(copy))
  }

  #atServer(body: Uint8Array): void {
    const running = this.#ends.server()
    if (this.#silent.up) return
    if (running === undefined) {
      this.cut()
      return
    }
    running.process.onEnd(() => this.cut())
    this.#ends.kernel.trace.note(this.#ends.client.name, 'exchange')
    const request = requestOf(this.#url, this.#asked.headers, body)
    Promise.resolve(running.server.app.fetch(request)).then(
      async (response) => {
        const answer = await answerOf(response)
        if (running.process.isAlive) this.#sendBack(answer)
      },
      (error: unknown) => this.#ends.kernel.failed('server', error),
    )
  }

  #sendBack(answer: Answer): void {
    const { kernel, link, client } = this.#ends
    kernel.trace.noteBytes(client.name, 'answered', answer.body)
    const fault = link.strike('down', () => answer.ok)
    if (this.#silent.down || fault === 'dropFrame' || fault === 'loseAck') {
      kernel.time.after(link.random.between(1_000, 30_000), () => this.cut())
      return
    }
    const delayMs = fault === 'delayFrame' ? link.random.spread(500, 20_000) : 0
    const received = fault === 'garbageFrame' ? captivePortal : answer
    kernel.time.at(link.arrivalMs() + delayMs, () => this.#deliver(received))
  }

  #deliver(answer: Answer): void {
    const { link, client } = this.#ends
    client.later(0, () => {
      if (this.#isOver) return
      this.#isOver = true
      link.connections.delete(this)
      if (this.#asked.signal.aborted) this.#reject(new Error('aborted'))
      else this.#resolve(responseOf(answer))
    })
  }

  cut(): void {
    const { link, client } = this.#ends
    link.connections.delete(this)
    client.later(0, () => {
      if (this.#isOver) return
      this.#isOver = true
      this.#reject(new TypeError('simulated: the connection was lost'))
    })
  }

  silence(direction: Direction): void {
    this.#silent[direction] = true
  }
}

const captivePortal: Answer = {
  ok: true,
  status: 200,
  contentType: 'text/html',
  body: new TextEncoder().encode('<h1>Welcome</h1>'),
}

/** Only what the server reads of a request: the real class is slower than the rest of the exchange. */
const requestOf = (url: string, headers: Record<string, string>, body: Uint8Array): Request => {
  const fields = new Map(Object.entries(headers))
  const request = {
    method: 'POST',
    url,
    headers: { get: (name: string) => fields.get(name.toLowerCase()) ?? null },
    body: streamOf(body),
  }
  return request as unknown as Request
}

const answerOf = async (response: Response): Promise<Answer> => ({
  ok: response.ok,
  status: response.status,
  contentType: response.headers.get('content-type') ?? '',
  body: new Uint8Array(await response.arrayBuffer()),
})

const responseOf = ({ ok, status, contentType, body }: Answer): Response => {
  const headers = { get: (name: string) => (name === 'content-type' ? contentType : null) }
  return { ok, status, headers, body: streamOf(body) } as unknown as Response
}

const streamOf = (bytes: Uint8Array) => {
  let isRead = false
  return {
    getReader: () => ({
      read: async () => {
        if (isRead) return { done: true, value: undefined }
        isRead = true
        return { done: false, value: bytes }
      },
      cancel: async () => undefined,
    }),
    cancel: async () => undefined,
  }
}
