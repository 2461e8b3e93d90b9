/** Planted in the laws of cells, in what is shown of them, and in what is written by drafts, decisions and undo. */
import type { PlantedBug } from './bug.ts'

const lawful = {
  laws: 0.8,
  rows: 2,
  burst: 10,
  deletes: 0,
  samples: 0,
  tabs: 1,
  groups: false,
  weights: { cut: 3, partition: 2 },
} as const

/** It takes several devices at one field of one row. */
const crowded = { ...lawful, rows: 1, ops: 240, burst: 5, faults: 30 } as const

export const lawBugs: readonly PlantedBug[] = [
  {
    name: 'removal-takes-unseen-additions',
    rule: 'CELL3',
    file: 'packages/core/src/laws/elements.ts',
    find: 'else remove(element, op.ref, sees)',
    replace: 'else remove(element, op.ref, sees, () => true)',
    options: { ...lawful, ops: 240, burst: 20 },
  },
  {
    name: 'over-ignored',
    rule: 'CELL2',
    file: 'packages/core/src/cells/cell-state.ts',
    find: 'const replaces = over === undefined ? isSeen : this.#named(over, write.ref)',
    replace: 'const replaces = isSeen',
    options: lawful,
  },
  {
    name: 'erasure-absorbs-only-what-saw-it',
    rule: 'CELL6',
    file: 'packages/core/src/cells/cell-state.ts',
    find: 'if (row.erased !== ABSENT) return\n    const isSeen',
    replace: 'if (row.erased !== ABSENT && sees(op.seen, op.device, op.seq, row.erased)) return\n    const isSeen',
    options: { ...lawful, ops: 240, burst: 20 },
  },
  {
    name: 'reopening-loses-a-candidate',
    rule: 'CONF4',
    file: 'packages/core/src/laws/reopened.ts',
    find: '(value as readonly [Uint8Array, number, Value][]).map(([author',
    replace: '(value as readonly [Uint8Array, number, Value][]).slice(1).map(([author',
    options: crowded,
  },
  {
    name: 'cascade-never-taken-back',
    rule: 'REF1',
    file: 'packages/core/src/projection/view/references.ts',
    find: 'for (const row of concerned) this.#hidden.delete(row)',
    replace: '',
    options: lawful,
  },
  {
    name: 'unique-value-held-by-arrival',
    rule: 'UNIQ1',
    file: 'packages/core/src/projection/view/schema-view.ts',
    find: 'this.#byHold([...rows], fields[index])',
    replace: '[...rows]',
    options: { ...lawful, rows: 12, ops: 240, devices: 5, burst: 40 },
  },
  {
    name: 'deep-merge-replaces-the-whole-object',
    rule: 'CELL4',
    file: 'packages/core/src/laws/tree.ts',
    find: 'if (replaceSeen(node, sees)) state.mayCollide = true',
    replace:
      'replaceSeen(state.root, sees)\n    node = state.root\n    for (const key of keys) node = childOf(node, key)',
    options: lawful,
  },
  {
    name: 'plain-write-settles-what-waits-for-a-person',
    rule: 'CELL2',
    file: 'packages/client/src/mutate/transaction.ts',
    find: 'return shown.length === writes.length ? undefined : shown',
    replace: 'return undefined',
    options: lawful,
  },
  {
    name: 'move-removes-and-inserts',
    rule: 'CELL11',
    file: 'packages/client/src/mutate/edits.ts',
    find: 'edits.push({ law: Law.item, value: [item.id, position] })',
    replace:
      'edits.push({ law: Law.drop, value: item.id }, { law: Law.item, value: [source.newId(), position, item.value] })',
    options: lawful,
  },
  {
    name: 'undo-overwrites-what-others-wrote',
    rule: 'UNDO1',
    file: 'packages/client/src/mutate/undo.ts',
    find: 'if (written === undefined) return []\n    const others',
    replace:
      'if (written === undefined) return restore(plan, candidatesOf(replaced, ops), writes, now)\n    const others',
    options: crowded,
  },
]
