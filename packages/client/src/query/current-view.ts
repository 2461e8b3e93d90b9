/** The replica's cells as its schema shows them. The log may be read anew, and then other cells take the place of these. */
import { type CellState, type Schema, SchemaView } from '@driftlog/core'

/** What was saved of a view with the cells of a local snapshot, and with a copy of the tables. */
export interface SavedView {
  readonly openConflicts: number
}

export class CurrentView {
  readonly #schema: Schema
  readonly #isChecked: boolean
  readonly #saved: SavedView | undefined
  #cells: CellState
  #view: SchemaView | undefined

  /**
   * `isChecked`: custom strategies are asked twice, to find those that are not pure. `saved`: the tables have what the cells
   * hold, as this schema shows it; so where they are asleep nobody needs to wake them for that.
   */
  constructor(schema: Schema, cells: CellState, isChecked: boolean, saved?: SavedView) {
    this.#schema = schema
    this.#isChecked = isChecked
    this.#cells = cells
    this.#saved = cells.isAsleep ? saved : undefined
    if (this.#saved !== undefined) cells.onAwake = () => this.#made().adopt()
  }

  #made(): SchemaView {
    return (this.#view ??= new SchemaView(this.#schema, this.#cells, { isChecked: this.#isChecked }))
  }

  /** Brought up to date by whoever asks it something: see `SchemaView.refresh`. */
  get now(): SchemaView {
    this.#cells.awaken()
    return this.#made()
  }

  get schemaVersion(): number {
    return this.#schema.version
  }

  /** Nothing changed since it was saved. */
  get isAsleep(): boolean {
    return this.#saved !== undefined && this.#cells.isAsleep
  }

  /** Conflicts that wait for a person. */
  get openCount(): number {
    if (this.isAsleep) return this.#saved!.openConflicts
    const { now } = this
    now.refresh()
    return now.openCount
  }

  replace(cells: CellState): void {
    this.#cells = cells
    this.#view = undefined
  }
}
