import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))

const driftlog = async (...args: string[]) => {
  const child = spawn(process.execPath, ['--conditions=driftlog-source', main, 'simulate', ...args])
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (said.stdout += chunk))
  child.stderr.on('data', (chunk) => (said.stderr += chunk))
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { exitCode, ...said }
}

test('schedules are run in several processes, and told as one object', async () => {
  const { exitCode, stdout } = await driftlog('--seed', '3', '--schedules', '12', '--jobs', '2', '--json')
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ schedules: 12, jobs: 2 })
  expect(report.faultCount).toBeGreaterThan(100)
  expect(report.schedulesPerSecond).toBeGreaterThan(0)
  expect(exitCode).toBe(report.failures.length === 0 ? 0 : 1)
})

test('a schedule is replayed with all that happens in it', async () => {
  const { stdout } = await driftlog('--replay', '5&devices=2&keep=0-3')
  expect(stdout).toContain('d0.0 opens')
  expect(stdout).toContain('devices 2')
  expect(stdout).toMatch(/trace [0-9a-f]{16}/)
})

test('a schedule that does not fail has nothing to shrink', async () => {
  const { exitCode, stdout } = await driftlog('--shrink', '--replay', '5&devices=2&keep=0', '--json')
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ seed: 5, fails: false })
})

test('what is no schedule is a matter of usage', async () => {
  const { exitCode, stderr } = await driftlog('--replay', 'tomorrow')
  expect(exitCode).toBe(2)
  expect(stderr).toContain('tomorrow is not a schedule')
})
