/**
 * What a user of one replica does with the laws: edits, undo and redo, forms that stay open while others write, decisions about
 * conflicts. After each act it looks whether the replica shows what was asked for.
 */
import type { Candidate, Draft, Receipt, Replica, Tx } from '@driftlog/client'
import { type Conflict, DriftlogError, type Schema } from '@driftlog/core'
import type { Random } from '../random.ts'
import { comparable, editAtRandom } from './edits.ts'
import { textOf } from './texts.ts'

const REGISTERS = ['state', 'price', 'level', 'due', 'code', 'folder', 'friend'] as const

export interface LawUserParts {
  readonly replica: Replica<Schema>
  readonly rows: number
  readonly version: 1 | 2
  /** Names the run of the tab. */
  readonly name: string
  readonly told: (what: string, expected: string, shown: string) => void
}

interface Form {
  readonly draft: Draft<Schema['tables'][string]>
  readonly id: string
  /** The states that it showed. */
  readonly known: ReadonlySet<string>
  readonly takenBack: number
  /** What was shown of other devices: what one of them took back may be told by the same time as before. */
  readonly projected: ReadonlyMap<string, number>
}

/** Runs a mutation and writes it down. `journal`: notes its marker; undefined where it is not to bear one. */
export type Make = <T>(isMarked: boolean, run: (journal: (tx: Tx<Schema>) => void) => Receipt<T> | undefined) => void

interface State {
  readonly author: string
  readonly key: string
  readonly value: unknown
}

export class LawUser {
  readonly #parts: LawUserParts
  #count = 0
  #forms: Form[] = []
  /** How often something was taken back: a value that is there again may be told by the same time as before. */
  #takenBack = 0

  constructor(parts: LawUserParts) {
    this.#parts = parts
  }

  act(random: Random, make: Make): void {
    switch (random.weighted([10, 6, 2, 1, 3, 3, 1])) {
      case 0:
        this.#editMarked(random, make)
        break
      case 1:
        this.#edit(random, make)
        break
      case 2:
        this.#undoLater(make)
        break
      case 3:
        make(false, () => this.#takeBack('redo'))
        break
      case 4:
        this.#useForm(random, make)
        break
      case 5:
        this.#resolve(random, make)
        break
      default:
        this.#reopen(random, make)
    }
  }

  #takeBack(how: 'undo' | 'redo'): Receipt<undefined> | undefined {
    this.#takenBack++
    return this.#parts.replica[how]()
  }

  /** UNDO: of what others did since nothing is overwritten. */
  #undoLater(make: Make): void {
    const before = this.#ofOthers()
    make(false, () => this.#takeBack('undo'))
    for (const [place, values] of before) {
      const [, id, field] = place.split('/')
      if (this.row('things', id) === undefined) continue
      const left = this.#parts.replica.candidates('things', id, field).map(({ value }) => textOf(value))
      this.#tell(
        `${place} after an undo, of what others wrote there`,
        textOf(values),
        textOf(values.filter((value) => left.includes(value))),
      )
    }
  }

  /** What registers hold of others' writes, as text. */
  #ofOthers(): Map<string, string[]> {
    const { replica, rows } = this.#parts
    // What was opened again stands for values of others, but is the write of whoever opened it.
    const reopened = new Set(
      replica.conflicts.filter(({ candidates }) => candidates.some(({ dot }) => dot === undefined)).map(({ id }) => id),
    )
    const values = new Map<string, string[]>()
    for (let row = 0; row < rows; row++) {
      const id = `thing-${row}`
      if (this.row('things', id) === undefined) continue
      for (const field of REGISTERS) {
        const place = `things/${id}/${field}`
        if (reopened.has(place)) continue
        const others = replica.candidates('things', id, field).filter(({ author }) => author !== replica.device)
        if (others.length > 0)
          values.set(
            place,
            others.map(({ value }) => textOf(value)),
          )
      }
    }
    return values
  }

  #context(random: Random) {
    const { rows, name } = this.#parts
    const unique = `${name}.${++this.#count}`
    return {
      random,
      rows,
      unique,
      tell: (what: string, expected: unknown, shown: unknown) => this.#tell(what, textOf(expected), textOf(shown)),
    }
  }

  #tell(what: string, expected: string, shown: string): void {
    this.#parts.told(what, expected, shown)
  }

  row(table: string, id: string): Readonly<Record<string, unknown>> | undefined {
    return this.#parts.replica.mutate((tx) => tx[table].get(id)).value
  }

  #states(id: string): State[] {
    return this.#parts.replica
      .candidates('things', id, 'state')
      .map((candidate) => ({ value: candidate.value, author: candidate.author, key: keyOf(candidate) }))
  }

  /** Those of a conflict that was opened again: a write stands for several of them. */
  #reopened(id: string): Set<string> {
    const conflict = this.#parts.replica.conflicts.find((one) => one.id === `things/${id}/state`)
    const candidates = (conflict?.candidates ?? []).filter(({ dot }) => dot === undefined)
    return new Set(candidates.map(keyOf))
  }

  /** STRAT5: what a plain write takes the place of, and a form knows. Of a field that waits for a person the value that it shows. */
  #shownStates(id: string): Set<string> {
    const [shown, ...others] = this.#states(id)
    if (shown === undefined) return new Set()
    const reopened = this.#reopened(id)
    const taken = [shown, ...others].filter(
      ({ value, key }) => this.#parts.version === 1 || (value === shown.value && !reopened.has(key)),
    )
    return new Set(taken.map(({ key }) => key))
  }

  #editMarked(random: Random, make: Make): void {
    const { replica } = this.#parts
    const context = this.#context(random)
    const before = new Map<
      string,
      { readonly states: State[]; readonly taken: Set<string>; readonly isUnknown: boolean }
    >()
    for (let row = 0; row < context.rows; row++) {
      const id = `thing-${row}`
      // Of a row that is not there nobody is told.
      const isUnknown = this.row('things', id) === undefined || this.#reopened(id).size > 0
      before.set(id, { states: this.#states(id), taken: this.#shownStates(id), isUnknown })
    }
    let id = ''
    let inside = ''
    let isWritten = false
    make(true, (journal) => {
      const receipt = this.#taken(() =>
        replica.mutate(
          (tx) => {
            journal(tx)
            const row = editAtRandom(tx, context, false)
            id = row.table === 'things' ? row.id : ''
            inside = comparable(tx[row.table].get(row.id))
          },
          { isUndoable: false },
        ),
      )
      isWritten = receipt !== undefined
      return receipt
    })
    if (!isWritten || id === '') return
    const shown = this.row('things', id)
    // A reference may have pulled it along.
    if (shown !== undefined) this.#tell(`things/${id} after its mutation`, inside, comparable(shown))
    const { states, taken, isUnknown } = before.get(id)!
    const own = this.#states(id).find(({ value }) => value === `state ${context.unique}`)
    if (own === undefined || (isUnknown && states.length > 0)) return
    const rest = states.filter(({ key }) => !taken.has(key))
    this.#tellStates(`things/${id}.state after a plain write`, [own, ...rest], this.#states(id))
  }

  #tellStates(what: string, expected: readonly State[], shown: readonly State[]): void {
    const text = (states: readonly State[]): string => textOf(states.map(({ key }) => key).toSorted())
    this.#tell(what, text(expected), text(shown))
  }

  /** One that can be taken back, and often is at once. */
  #edit(random: Random, make: Make): void {
    const { replica } = this.#parts
    const context = this.#context(random)
    let at = { table: '', id: '' }
    const look = (): string => {
      const row = this.row(at.table, at.id)
      // A row that was new and is taken back keeps its fields, unseen.
      return `${comparable(row)} ${row !== undefined && at.table === 'things' ? this.#valuesOf(at.id) : ''}`
    }
    const drawn = random.stream('edit')
    let isWritten = false
    let before = ''
    make(false, () => {
      // What it will be about is drawn twice, the first time to look at it before.
      const receipt = this.#taken(() => {
        try {
          replica.mutate((tx) => {
            at = editAtRandom(tx, { ...context, random: drawn.stream('act'), tell: () => undefined }, true)
            throw new Nothing()
          })
        } catch (error) {
          if (!(error instanceof Nothing)) throw error
        }
        before = look()
        return replica.mutate((tx) => void editAtRandom(tx, { ...context, random: drawn.stream('act') }, true))
      })
      isWritten = receipt?.dot !== undefined
      return receipt
    })
    if (!isWritten || !random.chance(0.4)) return
    const after = look()
    // Hidden with the row that it refers to, before and after: what is inserted there may be nothing that can be taken back.
    if (after.startsWith('nothing') && before.startsWith('nothing')) return
    make(false, () => this.#takeBack('undo'))
    this.#tell(`${at.table}/${at.id} after an undo`, before, look())
    if (!random.chance(0.5)) return
    make(false, () => this.#takeBack('redo'))
    this.#tell(`${at.table}/${at.id} after a redo`, after, look())
  }

  #valuesOf(id: string): string {
    const values = this.#states(id).map(({ value }) => value)
    // What was never written is taken back by what is shown for it.
    return textOf((values.length === 0 ? [''] : values).map(textOf).toSorted())
  }

  /** Opens a form, or saves one that was opened a while ago. */
  #useForm(random: Random, make: Make): void {
    const { replica, rows } = this.#parts
    const form = this.#forms.length > 0 && random.chance(0.6) ? this.#forms.pop()! : undefined
    if (form === undefined) {
      const id = `thing-${random.below(rows)}`
      if (this.row('things', id) === undefined) return
      this.#forms.push({
        draft: replica.draft('things', id),
        id,
        known: this.#shownStates(id),
        takenBack: this.#takenBack,
        projected: replica.projected(),
      })
      if (this.#forms.length > 3) this.#forms.shift()
      return
    }
    const { draft, id, known, takenBack, projected } = form
    if (this.row('things', id) === undefined) return
    if (random.chance(0.2)) {
      make(false, () => draft.delete())
      return
    }
    const state = `state ${this.#context(random).unique}`
    const now = replica.projected()
    const isTold = ({ author }: State): boolean => now.get(author as never) === projected.get(author)
    const before = this.#states(id)
    const isExact = before.every((one) => !known.has(one.key) || isTold(one))
    const isReopened = this.#reopened(id).size > 0
    make(false, () => draft.save({ state } as never))
    const own = this.#states(id).find(({ value }) => value === state)
    this.#tell(`things/${id}.state holds what a form saved`, 'true', String(own !== undefined))
    if (own === undefined || isReopened || !isExact || takenBack !== this.#takenBack) return
    this.#tellStates(
      `things/${id}.state after a form was saved`,
      [own, ...before.filter(({ key }) => !known.has(key))],
      this.#states(id),
    )
  }

  #resolve(random: Random, make: Make): void {
    const { replica } = this.#parts
    const mine = replica.conflicts.filter(
      ({ kind, table, part }) => table === 'things' && part === undefined && kind !== 'unique',
    )
    if (mine.length === 0) return
    const conflict = random.pick(mine.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    const { kind, id, rowId, field } = conflict
    const reason = `because of ${this.#context(random).unique}`
    const value = kind === 'row' ? random.pick(['changed', 'deleted']) : random.pick(conflict.candidates).value
    make(false, () => replica.resolve(conflict, value, reason))
    const left = replica.conflicts.find((one) => one.id === id)
    this.#tell(`${id} after it was resolved`, 'gone', left === undefined ? 'gone' : textOf(left))
    const settled = replica.settledConflicts().findLast((one) => one.rowId === rowId && one.field === field)
    this.#tell(
      `the record of ${id}`,
      textOf([replica.device, reason, value]),
      textOf([settled?.settledBy, settled?.reason, settled?.outcome]),
    )
  }

  #reopen(random: Random, make: Make): void {
    const { replica } = this.#parts
    const settled = replica.settledConflicts().filter(({ kind, table }) => kind === 'field' && table === 'things')
    if (settled.length === 0) return
    const conflict: Conflict = random.pick(settled.slice(-5))
    let isGone = false
    make(false, () => {
      try {
        return replica.reopen(conflict)
      } catch (error) {
        if (!(error instanceof DriftlogError && error.code === 'CONFLICT_GONE')) throw error
        isGone = true
        return undefined
      }
    })
    // Of a row that is not there no conflict is told.
    if (isGone || this.row('things', conflict.rowId) === undefined) return
    const now = replica.conflicts.find(({ id }) => id === `things/${conflict.rowId}/${conflict.field}`)
    const texts = (one: Conflict | undefined): string =>
      textOf(one?.candidates.map(({ value, author, stamp }) => [value, author, stamp]))
    this.#tell(`${conflict.id} opened again`, texts(conflict), texts(now))
  }

  /** undefined where the value of a unique field is taken. */
  #taken<T>(run: () => Receipt<T>): Receipt<T> | undefined {
    try {
      return run()
    } catch (error) {
      if (error instanceof DriftlogError && error.code === 'VALUE_TAKEN') return undefined
      throw error
    }
  }
}

const keyOf = ({ value, author, at }: Candidate): string => `${String(value)} ${author} ${at.getTime()}`

/** Thrown to have a mutation do nothing. */
class Nothing extends Error {}
