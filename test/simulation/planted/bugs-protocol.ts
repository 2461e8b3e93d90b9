/** Planted in both sides of a session. */
import type { PlantedBug } from './bug.ts'

const session = 'packages/core/src/protocol/client-session.ts'
const pull = 'packages/core/src/protocol/client-pull.ts'
const push = 'packages/core/src/protocol/client-push.ts'
const server = 'packages/core/src/protocol/server-session.ts'
const serverDisk = { weights: { serverDiskFails: 3, serverDiskFailsLate: 2, serverCrash: 1 } } as const
const disks = { weights: { diskFails: 3, diskFull: 1, diskFailsLate: 2 } } as const

export const protocolBugs: readonly PlantedBug[] = [
  {
    name: 'page-over-a-gap',
    rule: 'SYNC12',
    file: pull,
    find: 'page.from > state.received.position ||',
    replace: '',
    options: { weights: { reorderFrame: 3, delayFrame: 1 }, faults: 30, roundTrips: 0 },
  },
  {
    name: 'rewind-forgotten',
    rule: 'SYNC15',
    file: push,
    find: '    state.sent = state.server\n',
    replace: '',
    options: serverDisk,
  },
  {
    name: 'refused-counts-as-taken-in',
    rule: 'SYNC14',
    file: push,
    find: "push.ranges.filter((_, index) => outcomes[index].kind !== 'refused')",
    replace: 'push.ranges',
    options: serverDisk,
  },
  {
    name: 'refused-never-tried-again',
    rule: 'SYNC16',
    file: push,
    find: '{ ...refusal, isSetAside: false }',
    replace: 'refusal',
    options: { weights: { clockForward: 1 }, skewMs: 50_000 },
  },
  {
    name: 'gap-sets-aside',
    rule: 'SYNC15',
    file: push,
    find: '// SYNC15: the server lost what it had.\n      part(draft, branch, refusal)',
    replace: 'setAside(draft, refusal)',
    options: { weights: { serverRollback: 3, serverDiskFails: 1 }, roundTrips: 1 },
  },
  {
    name: 'failed-outbox-forgotten',
    rule: 'SYNC18',
    file: push,
    find: 'state.outboxDirty = true\n  putOff(draft)',
    replace: 'putOff(draft)',
    options: { ...disks, roundTrips: 0 },
  },
  {
    name: 'failed-ingest-forgotten',
    rule: 'SYNC18',
    file: pull,
    find: 'else byVector(draft)\n  }\n  putOff(draft)',
    replace: 'else byVector(draft)\n  }',
    options: { ...disks, roundTrips: 0 },
  },
  {
    name: 'new-work-not-pushed',
    rule: 'SYNC4',
    file: session,
    find: "case 'localAppended':\n      state.held = input.held\n      state.outboxDirty = true",
    replace: "case 'localAppended':\n      state.held = input.held",
  },
  {
    name: 'watchdog-off',
    rule: 'SYNC17',
    file: session,
    find: "case 'watchdog':\n      fail(draft)",
    replace: "case 'watchdog':",
    options: { weights: { halfOpen: 2, dropFrame: 1 } },
  },
  {
    name: 'tries-again-at-once',
    rule: 'SYNC18',
    file: 'packages/core/src/protocol/client-connection.ts',
    find: 'isLasting ? state.timing.backoffMostMs : draft.backoffMs(state.failures)',
    replace: '0',
    options: { weights: { serverCrash: 1, tokenRefused: 2 } },
  },
  {
    name: 'own-history-believed',
    rule: 'SYNC21',
    file: 'packages/core/src/protocol/place-tips.ts',
    find: 'if (this.#own.has(device)) {',
    replace: 'if (false) {',
    options: { weights: { clone: 2, restore: 2, loseAck: 1, partition: 1 }, tabs: 1, ops: 120, burst: 1, faults: 12 },
  },
  {
    name: 'acknowledged-before-it-is-stored',
    rule: 'ING6',
    file: 'packages/server/src/session/session-driver.ts',
    find: 'outcomes: await store.append(space, batches, { records, allOrNothing, absent })',
    replace:
      "outcomes: (store.append(space, batches, { records }).catch(() => 0), batches.map(() => ({ kind: 'appended', position: 0 }) as never))",
    options: serverDisk,
  },
  {
    name: 'failed-store-acknowledged',
    rule: 'ING6',
    file: server,
    find: "pushed(job.push, refuseAll(job.push, 'UNAVAILABLE'))",
    replace: "pushed(job.push, job.push.batches.map(() => ({ kind: 'duplicate' })))",
    options: serverDisk,
  },
  {
    name: 'far-future-let-in',
    rule: 'ING2',
    file: 'packages/core/src/protocol/admission.ts',
    find: 'if (!isInTime) return',
    replace: 'if (false) return',
    options: { weights: { clockForward: 1 }, skewMs: 50_000 },
  },
  {
    name: 'certificate-not-looked-up',
    rule: 'ING3',
    file: 'packages/core/src/protocol/admission.ts',
    find: 'if (header.fromSeq > 1) devices.add(header.device)',
    replace: '',
  },
  {
    name: 'fan-out-forgotten',
    rule: 'SYNC11',
    file: server,
    find: "case 'changed':\n      state.hasChanged = true",
    replace: "case 'changed':",
    options: { roundTrips: 0 },
  },
  {
    name: 'not-watched',
    rule: 'SYNC11',
    file: server,
    find: "draft.effects.push({ kind: 'watch' })",
    replace: '',
    options: { roundTrips: 0 },
  },
  {
    name: 'end-read-after-the-tips',
    rule: 'SYNC10',
    file: 'packages/server/src/session/session-driver.ts',
    find: 'const end = await store.end(space)\n          const tips = await store.tips(space)',
    replace: 'const tips = await store.tips(space)\n          const end = await store.end(space)',
    options: { roundTrips: 0, weights: { serverDiskSlow: 3, cut: 2 }, faults: 30, diskMs: [1, 20] },
  },
  {
    name: 'echoes-of-others-left-out',
    rule: 'SYNC12',
    file: server,
    find: 'batches.filter(({ position }) => !own.has(position))',
    replace: 'batches.filter(({ position }) => own.size === 0 || position > Math.max(...own))',
    options: { roundTrips: 0, ops: 200, burst: 1, latencyMs: [100, 500] },
  },
]
