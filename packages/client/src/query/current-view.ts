/** The replica's cells as its schema shows them. The log may be read anew, and then other cells take the place of these. */
import { type CellState, type Schema, SchemaView } from '@driftlog/core'

export class CurrentView {
  readonly #schema: Schema
  readonly #isChecked: boolean
  #view: SchemaView

  /** `isChecked`: custom strategies are asked twice, to find those that are not pure. */
  constructor(schema: Schema, cells: CellState, isChecked: boolean) {
    this.#schema = schema
    this.#isChecked = isChecked
    this.#view = this.#make(cells)
  }

  #make(cells: CellState): SchemaView {
    return new SchemaView(this.#schema, cells, { isChecked: this.#isChecked })
  }

  /** Brought up to date by whoever asks it something: see `SchemaView.refresh`. */
  get now(): SchemaView {
    return this.#view
  }

  replace(cells: CellState): void {
    this.#view = this.#make(cells)
  }
}
