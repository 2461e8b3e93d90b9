/** What can be taken back, and made again (SPEC UNDO2). */
import type { Undoable } from './undo.ts'

/** So many mutations can be taken back. */
const MAX_UNDO = 100
/** Of so many rows in all, but for the last mutation: it may be as large as it likes. */
const MAX_UNDO_ROWS = 100_000

const NOTHING: Undoable = { steps: [], own: { device: '', hlc: 0 } }

export class UndoStack {
  #done: Undoable[] = []
  #undone: Undoable[] = []
  /** Of what is done so many are forgotten: the list is cut once there are many, for each mutation adds to it. */
  #forgotten = 0
  /** Of what is done. */
  #rows = 0

  get #count(): number {
    return this.#done.length - this.#forgotten
  }

  #forgetOldest(): void {
    this.#rows -= this.#done[this.#forgotten].steps.length
    this.#done[this.#forgotten++] = NOTHING
    if (this.#forgotten < MAX_UNDO) return
    this.#done = this.#done.slice(this.#forgotten)
    this.#forgotten = 0
  }

  get canUndo(): boolean {
    return this.#count > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** A mutation was made: what was taken back before cannot be made again. */
  push(undoable: Undoable): void {
    this.#undone = []
    this.#note(undoable)
  }

  #note(undoable: Undoable): void {
    // An erasure alone, an increment of what only grows: there is nothing to take back.
    if (undoable.steps.length === 0) return
    this.#done.push(undoable)
    this.#rows += undoable.steps.length
    while (this.#count > MAX_UNDO || (this.#rows > MAX_UNDO_ROWS && this.#count > 1)) this.#forgetOldest()
  }

  /**
   * `take`: takes back what it is given, and returns how to take back that; undefined where there was nothing to do. What it throws
   * leaves everything as it was.
   */
  undo(take: (undoable: Undoable) => Undoable | undefined): boolean {
    if (!this.canUndo) return false
    const last = this.#done[this.#done.length - 1]
    const taken = take(last)
    this.#done.pop()
    this.#rows -= last.steps.length
    if (taken !== undefined) this.#undone.push(taken)
    return true
  }

  redo(take: (undoable: Undoable) => Undoable | undefined): boolean {
    const last = this.#undone.at(-1)
    if (last === undefined) return false
    const taken = take(last)
    this.#undone.pop()
    if (taken !== undefined) this.#note(taken)
    return true
  }

  /** Lets go of all that was done to some rows: of what is erased no value is kept. */
  forget(isErased: (table: string, rowId: string) => boolean): void {
    const rest = (undoables: readonly Undoable[]): Undoable[] =>
      undoables
        .map(({ steps, own }) => ({ own, steps: steps.filter(({ plan, rowId }) => !isErased(plan.table.name, rowId)) }))
        .filter(({ steps }) => steps.length > 0)
    this.#done = rest(this.#done)
    this.#forgotten = 0
    this.#rows = this.#done.reduce((sum, { steps }) => sum + steps.length, 0)
    this.#undone = rest(this.#undone)
  }

  /** Nothing of before can be taken back: another device is written as, and branches have other names. */
  clear(): void {
    this.#done = []
    this.#forgotten = 0
    this.#rows = 0
    this.#undone = []
  }
}
