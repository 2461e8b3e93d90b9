/** What each version of the schema is to show of the tables with laws, and which conflicts are to be open. */
import { hlcToMs, type Value } from '@driftlog/core'
import type { FinalLog } from '../final-log.ts'
import type { Mutation } from '../ledger.ts'
import {
  type Act,
  type Candidate,
  candidatesOf,
  elementsOf,
  itemsOf,
  jsonOf,
  lifeOf,
  type MadeOp,
  saw,
  sumOf,
} from './oracle.ts'
import { highest, rankOf } from './schema.ts'

type Version = 1 | 2

export interface ExpectedRow {
  readonly key: string
  readonly isErased: boolean
  /** What it shows, where it is there. */
  readonly shown: Readonly<Record<string, unknown>> | undefined
}

export interface ExpectedLaws {
  readonly rows: readonly ExpectedRow[]
  /** Ids of conflicts that wait for a person. */
  readonly open: ReadonlySet<string>
}

/** Each row's acts by `table/id`. */
const actsOf = (mutations: readonly Mutation[], log: FinalLog): Map<string, Act[]> => {
  const ops = log.ops
    .filter(({ isShown }) => isShown)
    .toSorted((a, b) => a.stamp - b.stamp || (a.branch < b.branch ? -1 : a.branch > b.branch ? 1 : a.seq - b.seq))
  const made = new Map<string, MadeOp>()
  // Of a mutation that takes several ops the ledger knows the last.
  const later = new Map<string, Mutation>()
  for (const [order, { branch, seq, stamp, marker }] of [...ops.entries()].toReversed()) {
    const mutation = marker === undefined ? later.get(branch) : mutations[marker - 1]
    // One that nobody made is told of elsewhere.
    if (mutation === undefined) continue
    later.set(branch, mutation)
    made.set(`${branch} ${seq}`, {
      order,
      stamp,
      device: branch,
      seq,
      seen: new Map(mutation.seen).set(branch, seq - 1),
    })
  }
  const rows = new Map<string, Act[]>()
  for (const { branch, seq } of ops) {
    const op = made.get(`${branch} ${seq}`)
    if (op === undefined) continue
    for (const { table, row, law, path, value, over } of log.lawChanges.get(`${branch} ${seq}`) ?? []) {
      const acts = rows.get(`${table}/${row}`) ?? []
      rows.set(`${table}/${row}`, acts)
      const named = over?.map((dot) => made.get(`${dot.device} ${dot.seq}`)!)
      acts.push({ op, law, path, value, over: named })
    }
  }
  return rows
}

export const expectedLaws = (mutations: readonly Mutation[], log: FinalLog): Record<Version, ExpectedLaws> => {
  const rows = actsOf(mutations, log)
  return { 1: expectedOf(rows, 1), 2: expectedOf(rows, 2) }
}

const expectedOf = (rows: ReadonlyMap<string, readonly Act[]>, version: Version): ExpectedLaws => {
  const dead = new Set([...rows].filter(([key, acts]) => !isLive(acts, deleteLaw(key, version))).map(([key]) => key))
  const hidden = hiddenBy(rows, dead)
  const isThere = (key: string): boolean => !hidden.has(key)
  const open = new Set<string>()
  const holders = new Map<Value, { key: string; op: MadeOp }[]>()
  const expected = [...rows].map(([key, acts]): ExpectedRow => {
    const { isErased } = lifeOf(acts)
    if (!isErased && deleteLaw(key, version) === 'manual' && isLifeOpen(acts)) open.add(key)
    // Nobody is asked about what a row holds that is not there.
    if (isThere(key) && key.startsWith('things/') && version === 2 && isContest(candidatesOf(acts, 'state'))) {
      open.add(`${key}/state`)
    }
    if (!isThere(key)) return { key, isErased, shown: undefined }
    const isGone = (id: unknown): boolean =>
      typeof id === 'string' && rows.has(`things/${id}`) && hidden.has(`things/${id}`)
    const shown = key.startsWith('things/') ? thing(acts, version, isGone) : folder(acts)
    const code = candidatesOf(acts, 'code').at(-1)
    if (typeof code?.value === 'string')
      holders.set(code.value, [...(holders.get(code.value) ?? []), { key, op: code.op }])
    return { key, isErased, shown }
  })
  for (const rivals of holders.values()) {
    // UNIQ1: who took it first.
    if (rivals.length > 1)
      open.add(`${rivals.toSorted((a, b) => a.op.order - b.op.order || (a.key < b.key ? -1 : 1))[0].key}/code/unique`)
  }
  return { rows: expected, open }
}

const deleteLaw = (key: string, version: Version): 'update-wins' | 'delete-wins' | 'manual' => {
  if (key.startsWith('things/')) return version === 1 ? 'update-wins' : 'manual'
  return version === 1 ? 'delete-wins' : 'update-wins'
}

const isLive = (acts: readonly Act[], law: string): boolean => {
  const { touches, deletes, isErased } = lifeOf(acts)
  return !isErased && touches.length > 0 && (law !== 'delete-wins' || deletes.length === 0)
}

/** A change and a delete that stand beside each other. */
const isLifeOpen = (acts: readonly Act[]): boolean => {
  const { touches, deletes } = lifeOf(acts)
  return touches.some((touch) => deletes.some((del) => !saw(touch, del)))
}

const isContest = (candidates: readonly Candidate[]): boolean =>
  candidates.some(({ value }) => value !== candidates[0].value)

/** REF1: what is dead, and what refers to it by a reference that cascades, and so on. */
const hiddenBy = (rows: ReadonlyMap<string, readonly Act[]>, dead: ReadonlySet<string>): Set<string> => {
  const hidden = new Set(dead)
  const refersToHidden = (key: string, acts: readonly Act[]): boolean => {
    const id = lastOf(acts, key.startsWith('things/') ? 'folder' : 'inside')
    return typeof id === 'string' && hidden.has(`folders/${id}`)
  }
  for (let size = -1; size !== hidden.size; ) {
    size = hidden.size
    for (const [key, acts] of rows) if (refersToHidden(key, acts)) hidden.add(key)
  }
  return hidden
}

const lastOf = (acts: readonly Act[], field: string): Value | undefined => candidatesOf(acts, field).at(-1)?.value

const folder = (acts: readonly Act[]): Record<string, unknown> => ({
  name: lastOf(acts, 'name') ?? '',
  inside: lastOf(acts, 'inside') ?? null,
})

const thing = (acts: readonly Act[], version: Version, isGone: (id: unknown) => boolean): Record<string, unknown> => {
  const friend = lastOf(acts, 'friend') ?? null
  return {
    tags: elementsOf(acts, 'tags', 'add'),
    marks: elementsOf(acts, 'marks', version === 1 ? 'add' : 'last-write'),
    steps: itemsOf(acts, 'steps'),
    body: jsonOf(acts, 'body') ?? null,
    seen: sumOf(acts, 'seen'),
    state: lastOf(acts, 'state') ?? '',
    price: highestOf(candidatesOf(acts, 'price')),
    level: (version === 1 ? rankedOf(candidatesOf(acts, 'level')) : lastOf(acts, 'level')) ?? 0,
    due: latestOf(candidatesOf(acts, 'due')) ?? 0,
    code: lastOf(acts, 'code') ?? null,
    folder: lastOf(acts, 'folder') ?? null,
    friend: isGone(friend) ? null : friend,
  }
}

const highestOf = (candidates: readonly Candidate[]): number =>
  candidates.length === 0 ? 0 : highest(candidates.map(({ value }) => value as number))

/** STRAT: the highest rank, of equals the latest. */
const rankedOf = (candidates: readonly Candidate[]): Value | undefined =>
  candidates.toSorted((a, b) => rankOf(a.value as number) - rankOf(b.value as number)).at(-1)?.value

/** STRAT: by the millisecond; of several in one, the value that sorts first as text. */
const latestOf = (candidates: readonly Candidate[]): Value | undefined => {
  const latestMs = Math.max(...candidates.map(({ stamp }) => hlcToMs(stamp)))
  const texts = candidates
    .filter(({ stamp }) => hlcToMs(stamp) === latestMs)
    .map(({ value }) => String(value as number))
  return texts.length === 0 ? undefined : Number(texts.sort()[0])
}
