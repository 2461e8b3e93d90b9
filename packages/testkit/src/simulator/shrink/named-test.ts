import type { Violation } from '../run.ts'

/** The one command that runs a schedule again and tells what happens in it. */
export const replayCommand = (code: string): string => `driftlog simulate --replay '${code}'`

/** A row of the table of found bugs (and a test by itself), to be pasted. */
export const namedTest = (code: string, violation: Violation): string => {
  const what = `${violation.checker}: ${violation.message.split('\n')[0]}`
  return [
    `test(${quoted(what)}, async () => {`,
    `  const schedule = parseReplay(${quoted(code)})`,
    '  const { violations } = await runSchedule(schedule.seed, overridesOf(schedule))',
    '  expect(violations).toEqual([])',
    '})',
  ].join('\n')
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
