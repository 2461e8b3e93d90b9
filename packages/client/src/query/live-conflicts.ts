/** What is concurrent now, as an observable. Read only while somebody listens, once a turn of the event loop. */
import { type Conflict, reconcileRows } from '@driftlog/core'
import { BehaviorSubject, defer, distinctUntilChanged, map, type Observable } from 'rxjs'
import type { CurrentView } from './current-view.ts'

export class LiveConflicts {
  readonly #view: CurrentView
  readonly #changes = new BehaviorSubject<void>(undefined)
  /** Something was projected; also said at once to who begins to listen. */
  readonly changes$: Observable<void> = this.#changes.asObservable()
  readonly conflicts$: Observable<readonly Conflict[]>
  #queued = false
  #read: { readonly by: unknown; readonly version: number; readonly conflicts: readonly Conflict[] } | undefined

  constructor(view: CurrentView) {
    this.#view = view
    this.conflicts$ = defer(() =>
      this.#changes.pipe(
        map(() => this.read()),
        distinctUntilChanged(),
      ),
    )
  }

  read(): readonly Conflict[] {
    const { now } = this.#view
    now.refresh()
    if (this.#read?.by !== now || this.#read.version !== now.version) {
      // Records are made anew with their row: whoever shows them is told of those alone that differ.
      const conflicts = reconcileRows(this.#read?.conflicts ?? [], now.conflicts())
      this.#read = { by: now, version: now.version, conflicts }
    }
    return this.#read.conflicts
  }

  /** Something was projected. */
  changed(): void {
    if (this.#queued || !this.#changes.observed) return
    this.#queued = true
    queueMicrotask(() => {
      this.#queued = false
      if (!this.#changes.closed) this.#changes.next()
    })
  }

  close(): void {
    this.#changes.complete()
  }
}
