// Runs the gates, two at a time where they do not need each other, prints a line for each, and shows the output of those that fail.
//   node scripts/gates.mjs [--keep-going] [gate ...]
// It stops at the first broken gate unless told to keep going. Its last line is `N passed, N failed[, N skipped]`: every gate counts
// as one check and every test as one. The same line is kept in a file after each step, so that a run that dies still leaves the truth.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, 'node_modules', '.cache', 'driftlog')
const vitestReport = join(cache, 'vitest.json')
const summaryFile = join(cache, 'summary.txt')

/** `needs`: gates that must have passed (they build what this one reads). `alone`: it uses all cores itself. */
const gates = [
  { name: 'types', run: ['tsc', '-b'] },
  { name: 'format', run: ['biome', 'format'] },
  { name: 'imports', run: ['node', 'scripts/check-imports.mjs'] },
  { name: 'lint', run: ['oxlint'], needs: ['types'] },
  { name: 'unused', run: ['knip', '--no-progress'] },
  { name: 'build', run: ['turbo', 'run', 'build', '--output-logs=errors-only'], needs: ['types'] },
  { name: 'docs', run: ['node', 'scripts/check-docs.mjs'], needs: ['types'] },
  { name: 'exports', run: ['node', 'scripts/check-exports.mjs'], needs: ['build'] },
  {
    name: 'tests',
    run: ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`],
    needs: ['build'],
    alone: true,
  },
]

const options = process.argv.slice(2)
const keepGoing = options.includes('--keep-going')
const wanted = options.filter((option) => !option.startsWith('--'))
const unknown = wanted.filter((name) => !gates.some((gate) => gate.name === name))
if (unknown.length) {
  console.error(`No gate is called ${unknown.join(', ')}. There are: ${gates.map((gate) => gate.name).join(', ')}.`)
  process.exit(2)
}
const chosen = wanted.length ? gates.filter((gate) => wanted.includes(gate.name)) : gates

/** name → 'passed' | 'failed' | 'skipped'; a gate without an entry has not run. */
const results = new Map()
const running = new Map()

/** What vitest counted. A file that could not be loaded counts as a failed test; a run without a report counts nothing. */
function testCounts() {
  if (!results.has('tests') || results.get('tests') === 'skipped') return { passed: 0, failed: 0, skipped: 0 }
  try {
    const report = JSON.parse(readFileSync(vitestReport, 'utf8'))
    const brokenFiles = report.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    ).length
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + brokenFiles,
      skipped: report.numPendingTests + report.numTodoTests,
    }
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

/** The line, and whether all is well. A gate that should have run and did not is skipped if another failed, else a failure. */
function summary() {
  const count = testCounts()
  for (const { name } of chosen) {
    const result = results.get(name) ?? 'failed'
    count[result] += 1
  }
  return {
    ...count,
    line: `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`,
  }
}

function keepSummary() {
  writeFileSync(summaryFile, `${summary().line}\n`)
}

function runGate(gate) {
  const started = process.hrtime.bigint()
  const path = [dirname(process.execPath), join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)
  const env = {
    ...process.env,
    PATH: path,
    TURBO_TELEMETRY_DISABLED: '1',
    [process.stdout.isTTY ? 'FORCE_COLOR' : 'NO_COLOR']: '1',
  }
  const [command, ...args] = gate.run
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    })
    running.set(gate.name, child)
    const said = []
    child.stdout.on('data', (chunk) => said.push(chunk))
    child.stderr.on('data', (chunk) => said.push(chunk))
    child.on('error', (error) => said.push(Buffer.from(String(error))))
    child.on('close', (code) => {
      running.delete(gate.name)
      const seconds = (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1)
      done({ ok: code === 0, seconds, output: Buffer.concat(said).toString() })
    })
  })
}

async function finish(gate) {
  const { ok, seconds, output } = await runGate(gate)
  results.set(gate.name, ok ? 'passed' : 'failed')
  let detail = ''
  if (gate.name === 'tests') {
    const { passed, failed, skipped } = testCounts()
    if (passed + failed === 0) results.set('tests', 'failed')
    detail = `  ${passed} passed, ${failed} failed, ${skipped} skipped`
  }
  const passed = results.get(gate.name) === 'passed'
  if (!passed) console.log(`\n${output.trimEnd()}\n`)
  console.log(`${passed ? '✓' : '✗'} ${gate.name.padEnd(8)} ${seconds.padStart(5)} s${detail}`)
  keepSummary()
}

async function main() {
  mkdirSync(cache, { recursive: true })
  rmSync(vitestReport, { force: true })
  keepSummary()
  const slots = Math.min(2, availableParallelism())
  const active = new Map()
  const waiting = [...chosen]
  const settled = (name) => !chosen.some((gate) => gate.name === name) || results.has(name)

  while (waiting.length || active.size) {
    const broken = [...results.values()].includes('failed')
    if (broken && !keepGoing) for (const gate of waiting.splice(0)) results.set(gate.name, 'skipped')
    const ready = waiting.find((gate) => (gate.needs ?? []).every(settled))
    const room =
      active.size === 0 || (active.size < slots && !ready?.alone && ![...active.keys()].some((gate) => gate.alone))
    if (ready && room) {
      waiting.splice(waiting.indexOf(ready), 1)
      active.set(
        ready,
        finish(ready).finally(() => active.delete(ready)),
      )
      continue
    }
    await Promise.race(active.values())
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running.values()) child.kill(signal)
    process.exit(130)
  })
}

await main()
keepSummary()
const { failed, line } = summary()
console.log(line)
process.exit(failed === 0 ? 0 : 1)
