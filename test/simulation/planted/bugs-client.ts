/** Planted in the client: what is stored when, and who is written as. */
import type { PlantedBug } from './bug.ts'

const keeper = 'packages/client/src/storage/keeper.ts'
const disks = { weights: { diskFails: 3, diskFull: 2, crash: 2, killTab: 1 }, diskMs: [10, 500] } as const
const crashes = { weights: { crash: 3, killTab: 2, crashAtCall: 2 }, diskMs: [10, 500] } as const
const farClocks = { weights: { farClock: 2, crash: 1, killTab: 1 }, faults: 6 } as const

export const clientBugs: readonly PlantedBug[] = [
  {
    name: 'failed-append-dropped',
    rule: 'KEEP2',
    file: keeper,
    find: 'const batches = this.#seal()\n',
    replace: 'const batches = this.#seal()\n    this.#unstored = []\n',
    options: disks,
  },
  {
    name: 'failed-append-not-tried-again',
    rule: 'KEEP2',
    file: keeper,
    find: 'if (!this.#closed) this.#flushRetry.later()',
    replace: '',
    options: disks,
  },
  {
    name: 'appends-side-by-side',
    rule: 'KEEP2',
    file: keeper,
    find: 'const done = this.#tail.then(work)',
    replace: 'const done = Promise.resolve().then(work)',
    options: { weights: { diskFails: 3, diskFull: 2 }, ops: 200, burst: 3, faults: 40, diskMs: [10, 500] },
  },
  {
    name: 'stored-told-too-early',
    rule: 'KEEP3',
    file: keeper,
    find: 'return first === undefined ? log.heldSeq(this.#device) - writer.openCount : first.header.fromSeq - 1\n  }\n\n  /** The same of',
    replace: 'return log.heldSeq(this.#device)\n  }\n\n  /** The same of',
    options: crashes,
  },
  {
    name: 'shown-before-it-is-stored',
    rule: 'KEEP1',
    file: keeper,
    find: 'let outcomes = await append()',
    replace: 'for (const one of checked) this.#options.state.log.receive(one)\n      let outcomes = await append()',
    options: { weights: { diskFails: 4, crash: 2 }, ops: 200, burst: 1, faults: 40, diskMs: [1, 20] },
  },
  {
    name: 'other-tabs-not-heard',
    rule: 'KEEP watch',
    file: keeper,
    find: 'store.watch(space, () => this.#queueRead())',
    replace: 'store.watch(space, () => undefined)',
    options: { tabs: 3 },
  },
  {
    name: 'rebuild-forgets-unstored',
    rule: 'BR3',
    file: 'packages/client/src/storage/rebuilder.ts',
    find: 'fresh.log.receive(fresh.log.open(batch), fresh.log.continued(batch.header))',
    replace: 'void batch',
    options: { weights: { clone: 2, restore: 3, diskSlow: 6 }, ops: 250, burst: 1, faults: 20, diskMs: [10, 500] },
  },
  {
    name: 'shift-not-applied',
    rule: 'BR2',
    file: 'packages/core/src/log/op-log.ts',
    find: 'if (shift !== undefined) this.#projector.shift(branch.id, run.fromSeq, shift.shift, shift.floor)',
    replace: '',
    options: farClocks,
  },
  {
    name: 'acknowledged-told-too-early',
    rule: 'ING6',
    file: 'packages/client/src/mutate/own-work.ts',
    find: 'acknowledged.reach(Math.min(pathSeq(log, branch, vector), this.#parts.keeper.storedSeqOf(device)))',
    replace: 'acknowledged.reach(this.#parts.keeper.storedSeqOf(device))',
  },
]
