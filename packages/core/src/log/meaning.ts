/**
 * Which branches the names in a run stand for. Its author may not have known of a fork, and called the branch that it had by
 * the name of the stem; the chain hash says which one it was.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import type { Run } from '../op/run.ts'

export type Meaning = (name: DeviceId) => DeviceId

/** So many ways of reading one run are tried. Honest devices fork once in a while; who makes thousands means harm. */
const MAX_MEANINGS = 4096

/** Every way to give each name one of its candidates; the first ones first. */
export function* meanings(candidates: ReadonlyMap<DeviceId, readonly DeviceId[]>): Generator<Meaning> {
  const names = [...candidates]
  let total = 1
  for (const [, branches] of names) total *= branches.length
  for (let way = 0; way < Math.min(total, MAX_MEANINGS); way++) {
    const chosen = new Map<DeviceId, DeviceId>()
    let rest = way
    for (const [name, branches] of names) {
      chosen.set(name, branches[rest % branches.length])
      rest = Math.floor(rest / branches.length)
    }
    yield (name) => chosen.get(name) ?? name
  }
}

/** The run with its author and all names in it as branches. The run itself where nothing forked. */
export const withMeaning = (run: Run, branch: DeviceId, meaning: Meaning): Run => {
  const devices = run.devices.map((name) => (name === run.device ? branch : meaning(name)))
  if (branch === run.device && devices.every((device, index) => device === run.devices[index])) return run
  const over = new Map<number, Dot[]>()
  for (const [change, dots] of run.over) {
    over.set(
      change,
      dots.map(({ device, seq }) => ({ device: device === run.device ? branch : meaning(device), seq })),
    )
  }
  return { ...run, device: branch, devices, over }
}
