/**
 * Rules that can be forgotten without any checker saying so: most of them because another rule makes good for it in time.
 * They are hunted only when they are named: `node --conditions=driftlog-source test/simulation/planted/main.ts <name>`.
 */
import type { PlantedBug } from './bug.ts'

export interface UnnoticedBug extends PlantedBug {
  /** As far as is known. */
  readonly why: string
}

export const unnoticedBugs: readonly UnnoticedBug[] = [
  {
    name: 'fork-goes-on-writing',
    why: 'what was read anew is looked at once more: a fork, or a stamp that was shifted, renews all the same',
    rule: 'BR3',
    file: 'packages/client/src/storage/keeper.ts',
    find: 'if (header.device === this.#device) this.#rebuilder.needRenewal()\n',
    replace: 'if (header.device === this.#device) this.#rebuilder.need()\n',
    options: { weights: { clone: 2, restore: 2 }, faults: 9 },
  },
  {
    name: 'all-or-nothing-ignored',
    why: 'only the cursor goes too far, and the tips of the next welcome find what is missing (SYNC10)',
    rule: 'STORE4',
    file: 'packages/core/src/log/memory-store.ts',
    find: 'if (allOrNothing && outcomes.some(isRefusal)) {',
    replace: 'if (false) {',
    options: { weights: { clone: 2, restore: 3, cut: 1 }, faults: 6, ops: 100 },
  },
  {
    name: 'renewed-identity-not-stored',
    why: 'the next start finds the fork once more and renews again',
    rule: 'BR3',
    file: 'packages/client/src/storage/identity.ts',
    find: 'await store.append(space, [], { records: renewed.records })',
    replace: '',
    options: { weights: { clone: 2, restore: 2, crash: 2 }, faults: 9 },
  },
  {
    name: 'fork-found-at-the-start-ignored',
    why: 'the fork is found again with the next batch of it that comes',
    rule: 'BR3',
    file: 'packages/client/src/open-replica.ts',
    find: 'const isToRenew = await mustNotWrite(store, space, stored, identity.device)',
    replace: 'const isToRenew = false',
    options: { weights: { clone: 2, restore: 2, crash: 2 }, faults: 9 },
  },
  {
    name: 'clock-offset-forgotten',
    why: 'the next refusal sets the clock back again; a checker would have to count the shifts that a device states',
    rule: 'BR2',
    file: 'packages/client/src/open-replica.ts',
    find: 'new CorrectedClock(ports.clock, clockOffsetMs)',
    replace: 'new CorrectedClock(ports.clock, 0)',
    options: { weights: { farClock: 2, crash: 1, killTab: 1 }, faults: 6 },
  },
  {
    name: 'fork-not-located',
    why: 'the tips of the next welcome tell where the histories part',
    rule: 'SYNC22',
    file: 'packages/core/src/protocol/client-push.ts',
    find: 'part(draft, branch, refusal)\n      byVector(draft)',
    replace: 'setAside(draft, refusal)',
    options: { weights: { clone: 2, restore: 2 }, devices: 2, tabs: 1, ops: 60, faults: 4, roundTrips: 1 },
  },
  {
    name: 'answer-taken-twice',
    why: 'the transport takes the error for a lost connection, and the next one puts it right',
    rule: 'PRO7',
    file: 'packages/core/src/protocol/client-push.ts',
    find: 'if (push === undefined) return\n',
    replace: '',
    options: { weights: { duplicateFrame: 1 }, faults: 30 },
  },
  {
    name: 'changed-forgotten-after-the-read',
    why: 'whatever comes next wakes the session; it takes silence after a change in the middle of a read',
    rule: 'SYNC11',
    file: 'packages/core/src/protocol/server-session.ts',
    find: 'const from = state.live?.position ?? 0\n',
    replace: 'const from = state.live?.position ?? 0\n    state.hasChanged = false\n',
    options: {
      roundTrips: 0,
      weights: { serverDiskSlow: 3 },
      ops: 300,
      burst: 1,
      faults: 60,
      devices: 5,
      diskMs: [0.1, 2],
    },
  },
  {
    name: 'clock-not-set-back',
    why: 'every refusal states another shift, and in the end the clock is right; a checker would have to count them',
    rule: 'BR2',
    file: 'packages/client/src/sync/clock-ahead.ts',
    find: 'if (clock.setTo(serverTimeMs)) keeper.keep(clockOffsetRecord(clock.offsetMs))',
    replace: '',
    options: { weights: { farClock: 2, crash: 1, killTab: 1 }, faults: 6 },
  },
  {
    name: 'tips-not-checked-at-the-end',
    why: 'it takes a server that was rolled back and refilled to the same place and tag; cursors of before are refused else',
    rule: 'SYNC10',
    file: 'packages/core/src/protocol/client-pull.ts',
    find: 'if (!isAllHere && !state.triedVector) {',
    replace: 'if (false) {',
    options: { weights: { serverRollback: 3 }, ops: 200, burst: 1, faults: 20, roundTrips: 1 },
  },
  {
    name: 'between-answer-and-watch',
    why: 'whatever comes next wakes the session; it takes silence after a push between the answer and the watch',
    rule: 'SYNC11',
    file: 'packages/core/src/protocol/server-session.ts',
    find: '// Between the answer and the watch something may have come in.\n  state.hasChanged = true',
    replace: '',
    options: {
      roundTrips: 0,
      weights: { cut: 3, serverDiskSlow: 3 },
      faults: 40,
      ops: 200,
      burst: 1,
      diskMs: [1, 20],
      latencyMs: [1, 20],
    },
  },
  {
    name: 'item-moved-twice-shows-twice',
    why: 'two devices have to move one item at the same time, and nobody may move it after that: too rare in what users do here',
    rule: 'CELL11',
    file: 'packages/core/src/laws/list.ts',
    find: 'if (position !== undefined && value !== undefined) placed.push({ id, position, value })',
    replace:
      'if (value !== undefined) for (const one of item.positions) placed.push({ id, position: one.value, value })',
    options: { laws: 0.8, rows: 1, ops: 240, tabs: 1, weights: { cut: 3, partition: 2 } },
  },
]
