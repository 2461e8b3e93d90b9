/** CPU profiles of what the clock covers and nothing else, one file a stretch: for Chrome's and VS Code's viewers. */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'

const SAMPLE_US = 200

let target: { readonly folder: string; readonly name: string } | undefined
let stretches = 0

/** From now on every stretch that is timed is profiled too, which makes it slower. */
export const profileInto = (folder: string, name: string): void => {
  target = { folder, name }
}

/** The returned function writes the profile. */
export const startProfile = (): (() => void) => {
  if (target === undefined) return () => {}
  const file = join(target.folder, `${target.name}-${++stretches}.cpuprofile`)
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US })
  session.post('Profiler.start')
  return () => {
    // A session of the own process answers at once.
    session.post('Profiler.stop', (error, answer) => {
      if (error === null) writeFileSync(file, JSON.stringify(answer.profile))
    })
    session.disconnect()
  }
}
