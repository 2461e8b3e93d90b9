/** Asks a server about itself: its health, and a space by a real hello. */
import { decodeTips, PROTOCOL_VERSION, type ServerMessage } from '@driftlog/core'
import { http } from '@driftlog/client'
import { CliError, systemCode } from '../errors.ts'

const TIMEOUT_MS = 10_000
const DIGEST_BYTES = 16

export interface Health {
  readonly isReady: boolean
  readonly checks: Readonly<Record<string, boolean>>
  readonly protocol: number
  /** Open sockets. */
  readonly connections: number
  readonly answeredMs: number
}

/** Throws SERVER_UNREACHABLE or NOT_A_SERVER. */
export const probeHealth = async (url: string): Promise<Health> => {
  const started = performance.now()
  const response = await reach(url, `${url}/healthz`)
  const answeredMs = Math.round(performance.now() - started)
  const said: unknown = await response.json().catch(() => undefined)
  if (typeof said === 'object' && said !== null) {
    const { ready, checks, protocol, connections } = said as Record<string, unknown>
    if (typeof ready === 'boolean' && typeof protocol === 'number' && typeof checks === 'object' && checks !== null) {
      return {
        isReady: ready,
        checks: Object.fromEntries(Object.entries(checks).map(([name, isGood]) => [name, isGood === true])),
        protocol,
        connections: typeof connections === 'number' ? connections : 0,
        answeredMs,
      }
    }
  }
  throw new CliError(
    'NOT_A_SERVER',
    `${url} answers, but not as a Driftlog server (HTTP ${response.status} on /healthz)`,
  )
}

const reach = async (url: string, path: string): Promise<Response> => {
  try {
    return await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (error) {
    throw new CliError('SERVER_UNREACHABLE', `${url}: ${reasonOf(error)}`, { cause: error })
  }
}

const reasonOf = (error: unknown): string => {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1_000} s`
  const cause = error instanceof Error ? error.cause : undefined
  switch (systemCode(cause)) {
    case 'ECONNREFUSED':
      return 'nothing listens there'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name is not known'
    default:
      return cause instanceof Error ? cause.message : String(error)
  }
}

export interface SpaceStatus {
  readonly role: string
  readonly devices: number
  readonly ops: number
  /** The server's wall clock less this machine's. */
  readonly clockAheadMs: number
}

/** Throws the code by which the server refuses: UNAUTHORIZED, NOT_FOUND, PROTOCOL_VERSION … */
export const probeSpace = async (url: string, space: string, token: string): Promise<SpaceStatus> => {
  const { role, tips, serverTimeMs } = await greet(url, space, token)
  const seqs = tips === undefined ? [] : Array.from(decodeTips(tips).values(), ({ seq }) => seq)
  return {
    role,
    devices: seqs.length,
    ops: seqs.reduce((sum, seq) => sum + seq, 0),
    clockAheadMs: serverTimeMs - Date.now(),
  }
}

type Welcome = Extract<ServerMessage, { type: 'welcome' }>

const greet = (url: string, space: string, token: string): Promise<Welcome> =>
  new Promise((resolve, reject) => {
    const connection = http(url, { token: () => token }).connect(space, {
      opened: () => {},
      message(message) {
        if (message.type === 'welcome') resolve(message)
        else if (message.type === 'refused') reject(new CliError(message.code, message.message))
      },
      closed: (failure) =>
        reject(
          failure === undefined
            ? new CliError('SERVER_UNREACHABLE', `${url}: the connection broke`)
            : new CliError(failure.code, failure.message),
        ),
    })
    // The digest of no vector: the server answers with its whole one.
    const digest = new Uint8Array(DIGEST_BYTES)
    connection.send([{ type: 'hello', protocol: PROTOCOL_VERSION, space, digest }])
  })
