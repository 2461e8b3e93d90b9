/** An HTTP proxy that a test may reach into: what a network, or whoever sits in it, can do. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Reaching {
  /** Before a request is passed on. */
  before?(): Promise<void>
  /** What becomes of the body of an answer. */
  answer?(body: Uint8Array): Uint8Array
}

export const startProxy = async (target: string, reach: Reaching): Promise<{ url: string; close(): Promise<void> }> => {
  const server = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      await reach.before?.()
      const { authorization = '', 'content-type': type = '' } = request.headers
      const answer = await fetch(`${target}${request.url}`, {
        method: request.method,
        headers: { authorization, ...(type === '' ? {} : { 'content-type': type }) },
        ...(request.method === 'POST' ? { body: Buffer.concat(parts) } : {}),
      })
      const body = new Uint8Array(await answer.arrayBuffer())
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
      response.end(reach.answer?.(body) ?? body)
    }
    pass().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
