/** A server over one SQLite file, and whatever else is to be answered beside it. */
import { type BatchStore, type Ports, systemPorts } from '@driftlog/core'
import { createServer, jwt, listen, type Logger, type ServerLimits } from '@driftlog/server'
import { sqlite } from '@driftlog/store-sqlite'
import { CliError, systemCode } from '../errors.ts'

/** Answers a request that is not the server's own; undefined leaves it to the next. */
export type WebHandler = (request: Request) => Promise<Response | undefined>

export interface StartOptions {
  readonly database: string
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly secret: string
  /** Further origins that browsers may connect from. */
  readonly origins?: readonly string[]
  readonly handlers?: readonly WebHandler[]
  readonly limits?: Partial<ServerLimits>
  readonly logger?: Logger
  readonly ports?: Ports
}

export interface RunningServer {
  /** `http://host:port`, for a client on this machine. */
  readonly url: string
  readonly port: number
  /** Ends every connection, then closes the store. */
  close(): Promise<void>
}

/** Throws PORT_IN_USE, LISTEN_FAILED, DATA_UNUSABLE, or what the store rejects with. */
export const startServer = async (options: StartOptions): Promise<RunningServer> => {
  const { database, host, port, secret, origins, handlers = [], limits, logger, ports = systemPorts } = options
  const store = openStore(database)
  try {
    const server = createServer({ store, auth: jwt({ secret }), ports, limits, logger, origins })
    server.app.notFound(async ({ req }) => {
      for (const handle of handlers) {
        const response = await handle(req.raw)
        if (response !== undefined) return response
      }
      return Response.json({ code: 'NOT_FOUND', message: 'There is nothing here.', details: {} }, { status: 404 })
    })
    const listening = await listen(server, { port, hostname: host })
    return {
      url: `http://${reachable(host)}:${listening.port}`,
      port: listening.port,
      async close() {
        await listening.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw listenError(error, host, port)
  }
}

const openStore = (database: string): BatchStore => {
  try {
    return sqlite(database)
  } catch (error) {
    throw new CliError('DATA_UNUSABLE', `${database}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** "Every address" is none that a browser can open; loopback is what people know by name. */
const reachable = (host: string): string => {
  if (host === '0.0.0.0' || host === '::' || host === '127.0.0.1') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

const listenError = (error: unknown, host: string, port: number): unknown => {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new CliError(
        'PORT_IN_USE',
        `another program listens on ${host}:${port}; stop it, or choose another port with --port (0 takes any free one)`,
        { cause: error },
      )
    case 'EACCES':
      return new CliError('LISTEN_FAILED', `not allowed to listen on port ${port}; choose one from 1024 on`, {
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new CliError('LISTEN_FAILED', `${host} is no address of this machine`, { cause: error })
    default:
      return error
  }
}
