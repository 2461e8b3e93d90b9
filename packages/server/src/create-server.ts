/**
 * The server: composition only.
 *
 *     GET  /healthz               ready or not, as JSON
 *     POST /spaces/:space/sync    one exchange (http/exchange)
 *     GET  /spaces/:space/sync    a WebSocket (socket/socket-session)
 */
import { cryptoReady, DriftlogError, isSpaceId, PROTOCOL_VERSION, quarantining, systemPorts } from '@driftlog/core'
import { upgradeWebSocket } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type { WebSocket } from 'ws'
import { exchangeHandler } from './http/exchange.ts'
import { refuse } from './http/refusals.ts'
import { silentLogger } from './logger.ts'
import { MemberLogs } from './members/member-logs.ts'
import { defaultLimits, type ServerOptions } from './options.ts'
import type { ServerParts } from './parts.ts'
import { Prunings } from './pruning/prunings.ts'
import { LaterBySpace } from './session/later-by-space.ts'
import { readServerClock } from './session/server-clock.ts'
import { type ServerSocket, SocketSession } from './socket/socket-session.ts'

export interface DriftlogServer {
  /** Serve it with `listen`, or mount it in an app of your own: `yours.route('/', server.app)`. */
  readonly app: Hono
  /**
   * Takes on a socket that is open and speaks for a space: for who has sockets of another kind. Undefined where there are too
   * many, or the server is closed. Hand in what comes by `received`, and its end by `ended`.
   */
  accept(socket: ServerSocket, space: string): AcceptedSocket | undefined
  /** Sockets that are open now. */
  readonly connections: number
  /** Refuses new sockets and closes the open ones. The store stays open: it belongs to whoever made it. */
  close(): void
}

/** Long enough for what is under way to be answered, and for several damaged batches to be found, or pushed, together. */
const REGREET_MS = 1_000

export type AcceptedSocket = Pick<SocketSession, 'received' | 'ended'>

export const createServer = (options: ServerOptions): DriftlogServer => {
  const store = quarantining(options.store)
  const { clock } = options.ports ?? systemPorts
  const members = new MemberLogs(store, clock)
  const parts: ServerParts = {
    store,
    auth: options.auth,
    members,
    prunings: new Prunings(store, members, clock),
    ports: options.ports ?? systemPorts,
    limits: { ...defaultLimits, ...options.limits },
    logger: options.logger ?? silentLogger,
    origins: options.origins,
  }
  const sockets = new Map<SocketSession, string>()
  let isClosed = false
  const app = new Hono()
  const ready = cryptoReady()

  const isFull = (): boolean => isClosed || sockets.size >= parts.limits.connections
  const open = (socket: ServerSocket, space: string): SocketSession => {
    const opened = new SocketSession(parts, socket, space, () => sockets.delete(opened))
    sockets.set(opened, space)
    return opened
  }

  const greetAnew = new LaterBySpace(parts.ports.timers, REGREET_MS, (space) => {
    for (const [socket, of] of sockets) if (of === space) socket.goAway()
  })
  store.onDamage(({ kind, place }) => {
    const { space, branch, fromSeq, toSeq, position } = place
    const fields = { space, branch, fromSeq, toSeq, position }
    if (kind === 'found')
      parts.logger.error(fields, 'a stored batch is damaged: it is in quarantine until a device pushes it')
    else parts.logger.info(fields, 'a damaged batch was pushed again')
    // Whoever is connected was told of other tips. Who greets anew pushes what is lacking here, or pulls what is back.
    if (!isClosed) greetAnew.ask(space)
  })

  app.use(async (_, next) => {
    await ready
    await next()
  })
  if (parts.origins !== undefined) {
    const allowHeaders = ['authorization', 'content-type']
    app.use('*', cors({ origin: [...parts.origins], allowMethods: ['GET', 'POST'], allowHeaders, maxAge: 600 }))
  }

  app.get('/healthz', async (c) => {
    const checks = { clock: readServerClock(parts.ports.clock, parts.limits.clockFloorMs) !== undefined, store: true }
    try {
      await parts.store.end('healthz')
    } catch (error) {
      parts.logger.error({ error: String(error) }, 'the store does not answer')
      checks.store = false
    }
    const isReady = checks.clock && checks.store && !isClosed
    c.header('cache-control', 'no-store')
    return c.json(
      {
        ready: isReady,
        checks,
        protocol: PROTOCOL_VERSION,
        connections: sockets.size,
        damaged: store.damaged().length,
      },
      isReady ? 200 : 503,
    )
  })

  app.post('/spaces/:space/sync', exchangeHandler(parts))

  app.get(
    '/spaces/:space/sync',
    async (c, next) => {
      if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
        c.header('upgrade', 'websocket')
        return refuse(c, new DriftlogError('PROTOCOL_VIOLATION', 'this is a WebSocket'), 426)
      }
      checkUpgrade(parts, c)
      if (isFull()) throw new DriftlogError('UNAVAILABLE')
      return next()
    },
    upgradeWebSocket(
      (c) => {
        const space = c.req.param('space') ?? ''
        let session: SocketSession | undefined
        return {
          onOpen(_, { raw }) {
            session = open(raw as WebSocket, space)
            if (isClosed) session.goAway()
          },
          onMessage: ({ data }) => session?.received(data),
          onClose: () => session?.ended(),
          // A frame above the limit, bad UTF-8, a broken frame: ws closes the socket itself.
          onError: () => parts.logger.debug({ space }, 'a socket failed'),
        }
      },
      { onError: (error) => parts.logger.error({ error: String(error) }, 'a socket handler failed') },
    ),
  )

  app.notFound((c) => refuse(c, new DriftlogError('NOT_FOUND')))
  app.onError((error, c) => {
    if (error instanceof DriftlogError) return refuse(c, error)
    parts.logger.error({ error: String(error) }, 'a request failed')
    return refuse(c, new DriftlogError('UNAVAILABLE'))
  })

  return {
    app,
    accept: (socket, space) => (isFull() || !isSpaceId(space) ? undefined : open(socket, space)),
    get connections() {
      return sockets.size
    },
    close() {
      isClosed = true
      greetAnew.stop()
      for (const socket of sockets.keys()) socket.goAway()
    },
  }
}

/** Before the upgrade there is no token, so nothing is said about whose space it is. */
const checkUpgrade = ({ origins }: ServerParts, c: Context): void => {
  const origin = c.req.header('origin')
  if (origins !== undefined && origin !== undefined && !origins.includes(origin)) {
    throw new DriftlogError('FORBIDDEN', 'origin')
  }
  if (!isSpaceId(c.req.param('space') ?? '')) throw new DriftlogError('NOT_FOUND')
}
