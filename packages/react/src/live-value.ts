import type { Observable } from 'rxjs'

/** What a subscription has yielded so far. `value` is undefined before the first result. */
interface Latest<T> {
  readonly value: T | undefined
  readonly error: unknown
}

/** An observable in the shape of React's `useSyncExternalStore`. */
export interface LiveValue<T> {
  subscribe(onChange: () => void): () => void
  read(): Latest<T>
}

/**
 * Invariants: `source` is called at a subscription only, so a component that React renders and throws away costs nothing;
 * `read` returns the same object until something has come; what came last stays readable between two subscriptions
 * (StrictMode subscribes twice), so nothing flickers.
 */
export const liveValue = <T>(source: () => Observable<T>): LiveValue<T> => {
  let latest: Latest<T> = { value: undefined, error: undefined }
  return {
    subscribe(onChange) {
      const subscription = source().subscribe({
        next(value) {
          if (Object.is(value, latest.value) && latest.error === undefined) return
          latest = { value, error: undefined }
          onChange()
        },
        error(error: unknown) {
          latest = { value: latest.value, error }
          onChange()
        },
      })
      return () => subscription.unsubscribe()
    },
    read: () => latest,
  }
}
