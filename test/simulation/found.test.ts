/** Bugs that the simulator found, each with the schedule that it took: a bug becomes a named test before it is mended. */
import { type OptionOverrides, parseReplay, overridesOf, runSchedule } from '@driftlog/testkit/simulator'
import { expect, test } from 'vitest'

const lean: OptionOverrides = { tabs: 1, burst: 40, devices: 5, ops: 225, faults: 42, laws: 0.5 }

interface Found {
  readonly what: string
  /** In one line, as `driftlog simulate --shrink` prints it; or a seed and options. */
  readonly schedule: string | { readonly seed: number; readonly options: OptionOverrides }
  /** It fails still. Take this away with what mends it. */
  readonly isOpen?: true
}

const found: readonly Found[] = [
  {
    what: 'what an append that failed late had stored was pushed, refused as ahead, and never tried again (SYNC16)',
    schedule:
      '2002&laws=0&weights=killTab:1,clockForward:1,diskFull:1,diskFails:1,diskFailsLate:3,clone:1,partition:1,clog:1,halfOpen:3,loseAck:3,duplicateFrame:1,reorderFrame:1,delayFrame:1,serverDiskFails:1,serverRollback:3&deletes=0&roundTrips=0&latencyMs=1:20&keep=12,37-38',
  },
  {
    what: 'of a server that was rolled back twice the second time was taken for no progress, and what it lost never sent (SYNC15)',
    schedule:
      '58&laws=0&weights=serverRollback:3,serverDiskFails:2,cut:2&devices=3&faultsMs=60000&healMs=600000&ops=120&burst=1&faults=25&tabs=1&olderSchemas=0&skewMs=0&keep=6-7,9,40,42,133,142',
  },
  {
    what: 'a server that lost the same ops again and again was given them once only (SYNC15)',
    schedule:
      '71&laws=0&weights=serverRollback:3,serverDiskFails:2,cut:2&devices=3&faultsMs=60000&healMs=600000&ops=120&burst=1&faults=25&tabs=1&olderSchemas=0&skewMs=0&keep=86-88,90,92,99,101,109,112-113,116-118,133,147-148',
  },
  {
    what: 'a live page that overtook the welcome was dropped, and what it brought never came (SYNC11)',
    schedule:
      '206247&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=crash:1,clockBack:1,clockDrift:1,diskFails:1,diskFailsLate:1,diskSlow:1,partition:1,halfOpen:1,loseAck:1,reorderFrame:3,serverRestart:1,serverDiskFails:1,serverClockBehind:1,serverClockInvalid:1,courier:3',
  },
  {
    what: 'the same, after the clocks of two devices were years ahead',
    schedule:
      '108317&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=killTab:3,clockBack:3,farClock:1,diskFull:1,diskFails:1,diskSlow:1,cut:3,loseAck:1,dropFrame:1,reorderFrame:1,tokenRefused:3,serverClockInvalid:1',
  },
  {
    what: 'a shift that could not help was stated anew as often as the server refused: a new identity and a new connection each time (BR2)',
    schedule:
      '209976&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=crash:1,sleep:1,clockForward:1,clockBack:3,diskFails:1,cut:1,partition:1,clog:3,halfOpen:1,dropFrame:1,duplicateFrame:1,delayFrame:1,tokenRefused:1,serverCrash:1,serverRestart:1,serverDiskFails:3,serverClockBehind:3,serverClockInvalid:3,serverRollback:3',
  },
  {
    what: 'what an append that failed late had stored was never taken into the log when it came again (KEEP1)',
    schedule:
      '221555&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=killTab:1,sleep:1,clockForward:1,clockBack:1,clockDrift:1,diskFull:1,diskFailsLate:1,diskSlow:3,clog:1,serverClockBehind:1,serverRollback:1,courier:1',
  },
  {
    what: 'the same, until nothing healed any more',
    schedule:
      '126397&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=killTab:1,clockForward:1,clockBack:3,clockDrift:1,diskFailsLate:1,diskSlow:1,restore:1,clone:1,partition:3,clog:1,loseAck:1,delayFrame:3,garbageFrame:1,serverCrash:3,serverRestart:3,serverDiskFails:3,serverDiskFailsLate:1,serverDiskSlow:3,serverClockInvalid:1,courier:3',
  },
  {
    what: 'a device wrote on though what it had just written saw something that damage hides by now (KEEP6)',
    schedule:
      '14&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'a shift that could not be stored counted as stated, and the branch was refused for ever (BR2)',
    schedule:
      '310202&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=crash:1,killTab:1,clockBack:1,farClock:1,diskFull:1,diskFails:1,dropFrame:1,reorderFrame:1,garbageFrame:1,serverDiskSlow:3',
  },
  {
    what: 'the clock checker forgot that a device may take in by courier while its clock is ahead, and be set right before it writes',
    schedule:
      '604385&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=killTab:1,sleep:3,clockForward:3,clockBack:1,diskFails:1,diskFailsLate:3,diskSlow:3,cut:1,reorderFrame:1,garbageFrame:1,serverDiskFails:1,serverClockInvalid:1,serverRollback:1,courier:3',
  },
  {
    what: 'the clock checker forgot that who lost a shift to rot stamps by what was shifted, and is shifted to when that is stated',
    schedule:
      '5032656&laws=0&tabs=1&burst=40&devices=5&ops=225&faults=42&weights=crash:3,crashAtCall:1,killTab:1,sleep:1,clockDrift:3,farClock:1,partition:1,loseAck:3,dropFrame:1,delayFrame:1,tokenRefused:1,serverCrash:3,serverRestart:1,serverDiskFailsLate:1,serverDiskSlow:3,serverClockInvalid:1,serverRollback:1,courier:1,bitRot:1',
  },
  {
    what: 'the checkers forgot what had rotted where the damaged disk itself was put back, and what saw it waited for no reason that they knew',
    schedule:
      '22&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'the checkers waited for a batch to be mended whose only sound copy is hidden behind one that is gone',
    schedule:
      '32&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'who saw one side of a fork whose other side is gone was understood only where the damaged side still lies (BR4)',
    schedule:
      '81&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'the same, and the run was called broken (BR4)',
    schedule:
      '210&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'a branch had another name where the other side of its fork lies damaged, and no two replicas with the same ops said so (LOG5)',
    schedule:
      '192&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'the same, at a device',
    schedule:
      '84&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'what was read before damage was met kept the names that it had before (LOG5)',
    schedule:
      '45&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'what goes on from something hidden was a gap where another side of the fork reaches as far, so nobody asked where the two part (ENV4, SYNC22)',
    schedule:
      '65&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'the checkers did not know that what saw one side of a fork fits none where only the other is left (BR4)',
    schedule:
      '211&laws=0&tabs=1&burst=3&devices=2&ops=215&faults=90&faultsMs=120000&weights=bitRot:4,serverBitRot:2,restore:1,serverRollback:4',
  },
  {
    what: 'a list that was inserted with a row that came back stood beside the items that the row had had (CELL11)',
    schedule: { seed: 4, options: lean },
  },
  {
    what: 'a conflict that was opened again could never be settled (CONF4)',
    schedule: { seed: 2, options: lean },
  },
  {
    what: 'a row that was restored beside a concurrent deletion (CELL5)',
    schedule: { seed: 52, options: lean },
  },
  {
    what: 'an undo of a plain write to a manual field',
    schedule: { seed: 91, options: lean },
  },
  {
    what: 'what says that a conflict is settled was read as the marker of its op, and the op it was taken for was called lost (the checkers)',
    schedule: { seed: 5_011, options: { laws: 0.6 } },
  },
  {
    what: 'of two who opened one conflict again at once the oracle took the last to hold the unique value, not the first (UNIQ1, CONF4)',
    schedule: { seed: 8_200_064, options: { tabs: 1, burst: 40, devices: 5, ops: 225, faults: 42 } },
  },
  {
    what: 'a snapshot kept what the chain of a device began with that had written nothing, and its installation had another key by then (SNAP1)',
    schedule: '1022&devices=3&ops=60&faults=15&faultsMs=60000&sql=true&encrypted=true&snapshotAfterOps=10',
  },
  {
    what: 'the checker had a plain write on a manual field, where two had written the same, replace one of the two alone (STRAT5)',
    schedule: { seed: 8_200_994, options: { tabs: 1, burst: 40, devices: 5, ops: 225, faults: 42 } },
  },
  {
    what: 'an entry of the log of members that came before the one before it was passed over, and so was all that followed (MEM9)',
    schedule: '9&members=true&snapshotAfterOps=60',
  },
  {
    what: 'the op that states shifts named no entry of the log of members, and was void (MEM6)',
    schedule: '13&members=true&snapshotAfterOps=10',
  },
  {
    what: 'who was made a writer while both sides were brought level went on as the reader that it was greeted as (MEM9)',
    schedule: '54&members=true&encrypted=true&snapshotAfterOps=10',
  },
  {
    what: 'a frame that told of a new entry was lost, and nothing asked for it; nor did anything wait for an answer to end (MEM9)',
    schedule: '84&members=true&snapshotAfterOps=10',
  },
  {
    what: 'a statement of shifts was stored without the entries that it names, which waited for the next append (MEM5)',
    schedule: '441&members=true&snapshotAfterOps=10',
  },
  {
    what: 'an entry that came between the welcome and the watch was never told (MEM9)',
    schedule: '1060&members=true&snapshotAfterOps=10',
  },
]

/** What there was not yet when they were found. */
const asFound: OptionOverrides = { encrypted: false, members: false, snapshotAfterOps: 1_000_000 }

const run = (schedule: Found['schedule']) => {
  if (typeof schedule !== 'string') return runSchedule(schedule.seed, { options: { ...asFound, ...schedule.options } })
  const code = parseReplay(schedule)
  const overrides = overridesOf(code)
  return runSchedule(code.seed, { ...overrides, options: { ...asFound, ...overrides.options } })
}

for (const { what, schedule, isOpen } of found) {
  test(what, { fails: isOpen === true }, async () => {
    const { violations } = await run(schedule)
    expect(violations).toEqual([])
  })
}
