/** `npm run bench -- <family> --subjects a,b`: see docs/benchmarks.md. */
import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { Argument, Command, InvalidArgumentError } from 'commander'
import { describeMachine } from './harness/machine.ts'
import { familySection, opCounts, updatePage } from './harness/page.ts'
import { writePlot } from './harness/plot.ts'
import { FAMILIES, type Family, type Row } from './harness/rows.ts'
import { runCells } from './harness/run-cells.ts'
import { textTables } from './harness/table.ts'
import { judge } from './harness/targets.ts'
import { subjects } from './subjects/catalogue.ts'
import { workloads } from './workloads/catalogue.ts'

interface Options {
  readonly subjects: readonly string[]
  readonly workloads?: readonly string[]
  readonly runs: number
  readonly scale: number
  readonly against?: string
  readonly json?: string
  readonly page: boolean
  readonly profile?: string
}

const FEWEST_RUNS = 3
/** The subject that ratios are to unless another one is chosen. */
const BASE = 'yjs'

const listOf =
  (known: readonly string[]) =>
  (text: string): string[] => {
    const names = text.split(',')
    const unknown = names.filter((name) => !known.includes(name))
    if (unknown.length > 0) {
      throw new InvalidArgumentError(`There is no ${unknown.join(', ')}. There are: ${known.join(', ')}.`)
    }
    return names
  }

const oneOf =
  (known: readonly string[]) =>
  (text: string): string =>
    listOf(known)(text)[0]

const positive = (text: string): number => {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('A number above 0 is expected.')
  return value
}

const wholePositive = (text: string): number => {
  if (!Number.isInteger(positive(text))) throw new InvalidArgumentError('A whole number is expected.')
  return Number(text)
}

const writeRows = (rows: readonly Row[], file: string | undefined): void => {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`)
}

const measure = async (family: Family, options: Options): Promise<void> => {
  const ofFamily = workloads.filter((workload) => workload.family === family)
  const chosen = ofFamily.filter(({ name }) => options.workloads?.includes(name) ?? true)
  if (chosen.length === 0) throw new Error(`no such workload in ${family}`)
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const { rows, failures, leftOut } = await runCells({
    workloads: chosen,
    subjects: options.subjects,
    runs: options.runs,
    scale: options.scale,
    profile: options.profile,
    progress: (line) => console.error(`… ${line}`),
    measured: (done) => writeRows(done, options.json),
  })
  const against = options.against ?? (options.subjects.includes(BASE) ? BASE : options.subjects[0])
  console.log(textTables(rows, { opCounts: opCounts(chosen, options.scale), against }))
  const judged = judge(family, rows).filter(({ verdict }) => verdict !== 'not measured')
  if (judged.length > 0) console.log(`\nTargets${options.scale === 1 ? '' : `, at ${options.scale} of their sizes`}:`)
  for (const { says, target, figure, verdict } of judged) console.log(`${verdict}: ${says}: ${figure}, ${target}`)
  for (const { workload, subject, reason } of leftOut) console.error(`left out: ${workload} ${subject}: ${reason}`)
  for (const failure of failures) console.error(`failed: ${failure}`)
  writeRows(rows, options.json)
  if (failures.length > 0) process.exitCode = 1
  // Only a whole report may stand on the page.
  const isWhole = failures.length === 0 && chosen.length === ofFamily.length
  const isFull = options.scale === 1 && options.runs >= FEWEST_RUNS && options.profile === undefined
  if (options.page && isWhole && isFull) {
    const plot = writePlot(family, rows, against)
    const machine = describeMachine(new Date())
    updatePage(family, familySection({ family, rows, leftOut, workloads: chosen, against, machine, plot }))
    console.error('docs/benchmarks.md is up to date')
  }
}

const program = new Command('bench')
  .description('Measures Driftlog side by side with others, each cell in processes of its own.')
  .addArgument(new Argument('<family>', 'what to measure').choices(FAMILIES))
  .option('--subjects <names>', 'separated by commas', listOf(Object.keys(subjects)), Object.keys(subjects))
  .option('--workloads <names>', 'only these', listOf(workloads.map(({ name }) => name)))
  .option('--runs <count>', 'runs of each cell', wholePositive, FEWEST_RUNS)
  .option('--scale <share>', 'a share of the full sizes, for a quick look', positive, 1)
  .option('--against <subject>', 'ratios are to this one (yjs if it is measured)', oneOf(Object.keys(subjects)))
  .option('--json <file>', 'write the rows there')
  .option('--profile <folder>', 'write CPU profiles there, of what is timed')
  .option('--no-page', 'leave docs/benchmarks.md as it is')
  .action(measure)

await program.parseAsync()
