/** What can go wrong, by name: what the options switch on, what a plan injects, and what the tally counts. */

export const faultKinds = [
  // A device and its tabs.
  'crash',
  'crashAtCall',
  'killTab',
  'sleep',
  // Its clock.
  'clockForward',
  'clockBack',
  'clockDrift',
  'farClock',
  // Its disk.
  'diskFull',
  'diskFails',
  'diskFailsLate',
  'diskSlow',
  // Its identity.
  'restore',
  'clone',
  // Its link to the server.
  'cut',
  'partition',
  'clog',
  'halfOpen',
  'loseAck',
  'dropFrame',
  'duplicateFrame',
  'reorderFrame',
  'delayFrame',
  'garbageFrame',
  'tokenRefused',
  // The server.
  'serverCrash',
  'serverRestart',
  'serverDiskFails',
  'serverDiskFailsLate',
  'serverDiskSlow',
  'serverClockBehind',
  'serverClockInvalid',
  'serverRollback',
  // Nothing wrong with that: a copy of everything is carried to another device.
  'courier',
  // At the end, so that what is drawn of the other kinds stays: a batch on a disk does not read back any more.
  'bitRot',
  'serverBitRot',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** Faults after which two histories bear one device's name: each fork makes every replica read its log anew. */
export const forkFaults: readonly FaultKind[] = ['restore', 'clone', 'farClock']

/** Faults after which a log says less than before, until it is mended: each makes a replica read its log anew. */
export const rotFaults: readonly FaultKind[] = ['bitRot', 'serverBitRot']

/** How often each fault took effect. One that was planned and met nothing is not counted. */
export type Tally = Partial<Record<FaultKind, number>>

export const addTally = (sum: Tally, more: Tally): void => {
  for (const kind of faultKinds) {
    const count = more[kind]
    if (count !== undefined) sum[kind] = (sum[kind] ?? 0) + count
  }
}

export const tallied = (tally: Tally): number => Object.values(tally).reduce((sum, count) => sum + count, 0)
