import { createServer as createHttpServer, type ServerOptions as HttpOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MAX_FRAME_BYTES } from '@driftlog/core'
import { serve } from '@hono/node-server'
import type { Hono } from 'hono'
import { WebSocketServer } from 'ws'
import type { DriftlogServer } from './create-server.ts'

export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number
  /** `127.0.0.1` by default: nothing is offered to the network unless asked for. */
  readonly hostname?: string
  /** An app of your own in which `server.app` is mounted, for example behind static files. */
  readonly app?: Hono
}

export interface Listening {
  readonly port: number
  /** `http://host:port`. */
  readonly url: string
  /** Stops listening and ends every connection. The store stays open. */
  close(): Promise<void>
}

/** Serves over HTTP and WebSockets. Rejects where the port cannot be had. */
export const listen = async (server: DriftlogServer, options: ListenOptions): Promise<Listening> => {
  const hostname = options.hostname ?? '127.0.0.1'
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false })
  const http = serve({
    fetch: (options.app ?? server.app).fetch,
    hostname,
    port: options.port,
    websocket: { server: sockets },
    createServer: createHttpServer,
    serverOptions,
  })
  await new Promise<void>((resolve, reject) => {
    http.once('listening', resolve)
    http.once('error', reject)
  })
  const { port } = http.address() as AddressInfo
  return {
    port,
    url: `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`,
    async close() {
      server.close()
      const closed = new Promise<void>((resolve) => http.close(() => resolve()))
      for (const socket of sockets.clients) socket.terminate()
      if ('closeAllConnections' in http) http.closeAllConnections()
      await closed
    },
  }
}

const serverOptions: HttpOptions & { shouldUpgradeCallback: (request: { headers: { upgrade?: string } }) => boolean } =
  {
    headersTimeout: 10_000,
    requestTimeout: 120_000,
    keepAliveTimeout: 15_000,
    // Otherwise a request to upgrade to anything else would be left hanging (from Node 24.9 on).
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  }
