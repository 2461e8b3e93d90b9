/**
 * Where this app syncs. The server that serves the app answers `/config.json`; what it said is kept, so that the app opens
 * without a network after the first visit.
 */
export interface Config {
  readonly space: string
  /** Further spaces that `?space=` may choose. */
  readonly spaces: readonly string[]
  /** The sync server, absolute. */
  readonly url: string
  readonly token: string
}

const KEPT_AS = 'driftlog:config'
/** A network that swallows packets must not hold up the start. */
const PATIENCE_MS = 5_000

/** Throws where the server does not answer, or answers something else than a configuration. */
export const fetchConfig = async (): Promise<Config> => {
  const response = await fetch('/config.json', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) })
  if (!response.ok) throw new Error(`/config.json answers ${response.status}`)
  const config = readConfig(await response.json())
  if (config === undefined) throw new Error('/config.json is not the configuration of a Driftlog server')
  localStorage.setItem(KEPT_AS, JSON.stringify(config))
  return config
}

export const keptConfig = (): Config | undefined => {
  const kept = localStorage.getItem(KEPT_AS)
  if (kept === null) return undefined
  try {
    return readConfig(JSON.parse(kept))
  } catch {
    // Something else wrote here: as if this were the first visit.
    return undefined
  }
}

const readConfig = (said: unknown): Config | undefined => {
  if (typeof said !== 'object' || said === null) return undefined
  const { space, spaces, url, token } = said as Record<string, unknown>
  if (typeof space !== 'string' || typeof token !== 'string') return undefined
  return {
    space,
    spaces: Array.isArray(spaces) ? spaces.filter((name) => typeof name === 'string') : [],
    // Relative to the server that said it; without one it is that server.
    url: new URL(typeof url === 'string' ? url : '/', location.origin).href,
    token,
  }
}

export type SpaceChoice = { readonly space: string } | { readonly refused: string }

/** The space to open: the server's, or the one that `?space=` names if the server offers it. */
export const chooseSpace = ({ space, spaces }: Config, query: string): SpaceChoice => {
  const wanted = new URLSearchParams(query).get('space')
  if (wanted === null || wanted === space || spaces.includes(wanted)) return { space: wanted ?? space }
  return { refused: wanted }
}
