/** Where the person is. It lives in the address, so that a reload, the back button and a bookmark find it again. */
import { useSyncExternalStore } from 'react'

export type Place =
  | { readonly kind: 'all' | 'due' | 'inbox' | 'undecided' }
  | { readonly kind: 'list'; readonly id: string }
  | { readonly kind: 'search'; readonly text: string }

export const shows = ['open', 'done', 'all'] as const
export type Show = (typeof shows)[number]

export interface Route {
  readonly place: Place
  readonly show: Show
  /** The task whose details are open. */
  readonly task: string | undefined
}

export const parseRoute = (hash: string): Route => {
  const [path = '', query] = hash.replace(/^#\/?/, '').split('?')
  const [kind, argument] = path.split('/')
  const parameters = new URLSearchParams(query)
  return {
    place: parsePlace(kind, decodePart(argument ?? '')),
    show: shows.find((show) => show === parameters.get('show')) ?? 'open',
    task: parameters.get('task') ?? undefined,
  }
}

const parsePlace = (kind: string | undefined, argument: string): Place => {
  if (kind === 'list' && argument !== '') return { kind, id: argument }
  if (kind === 'search' && argument !== '') return { kind, text: argument }
  if (kind === 'due' || kind === 'inbox' || kind === 'undecided') return { kind }
  return { kind: 'all' }
}

const decodePart = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // typed by hand
  }
}

export const routeHash = ({ place, show, task }: Route): string => {
  const path =
    'id' in place
      ? `list/${encodeURIComponent(place.id)}`
      : 'text' in place
        ? `search/${encodeURIComponent(place.text)}`
        : place.kind
  const parameters = new URLSearchParams()
  if (show !== 'open') parameters.set('show', show)
  if (task !== undefined) parameters.set('task', task)
  return `#/${path}${parameters.size > 0 ? `?${parameters}` : ''}`
}

const listen = (onChange: () => void) => {
  addEventListener('hashchange', onChange)
  return () => removeEventListener('hashchange', onChange)
}

let parsed = { hash: '', route: parseRoute('') }
const present = (): Route => {
  // React compares snapshots by identity.
  if (parsed.hash !== location.hash) parsed = { hash: location.hash, route: parseRoute(location.hash) }
  return parsed.route
}

export const useRoute = (): Route => useSyncExternalStore(listen, present)

/** `replace`: without a step for the back button, as while typing a search. */
export const go = (change: Partial<Route>, { replace = false } = {}): void => {
  const hash = routeHash({ ...present(), ...change })
  if (hash === location.hash) return
  history[replace ? 'replaceState' : 'pushState'](null, '', hash)
  // At once: by itself the event comes later, and a control that was just switched would jump back and forth.
  dispatchEvent(new HashChangeEvent('hashchange'))
}

export const samePlace = (a: Place, b: Place): boolean =>
  a.kind === b.kind && ('id' in a && 'id' in b ? a.id === b.id : 'text' in a && 'text' in b ? a.text === b.text : true)
