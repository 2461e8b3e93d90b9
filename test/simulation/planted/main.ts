/** For the command line: hunts all planted bugs, or those named, and prints a JSON object a line for each verdict. */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { plantedBugs } from './bugs.ts'
import { unnoticedBugs } from './bugs-unnoticed.ts'
import { hunt } from './hunt.ts'

const { values, positionals } = parseArgs({
  options: {
    schedules: { type: 'string', default: '200' },
    jobs: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
  allowPositionals: true,
})
const bugs =
  positionals.length === 0
    ? plantedBugs
    : [...plantedBugs, ...unnoticedBugs].filter(({ name }) => positionals.includes(name))
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

print({ bugs: bugs.length })
await hunt({
  bugs,
  schedules: Number(values.schedules),
  jobs: Number(values.jobs),
  from: Number(values.seed),
  onVerdict: ({ bug: { name, rule }, ...verdict }) => print({ name, rule, ...verdict }),
})
