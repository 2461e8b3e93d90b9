// Gate: what npm would receive is well formed. Each package is packed as for a release; publint and attw read the tarball.
// A tarball that passed before is not read again (the cache holds its hash).
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, 'node_modules', '.cache', 'driftlog', 'exports')
const shell = process.platform === 'win32'

async function check(folder) {
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', cache], {
    cwd: join(root, folder),
    shell,
  })
  const [{ filename, files }] = Object.values(JSON.parse(stdout))
  const tarball = join(cache, filename)
  const stamp = join(cache, `${createHash('sha256').update(readFileSync(tarball)).digest('hex')}.ok`)
  try {
    if (!files.some((file) => file.path === 'dist/mod.js')) throw new Error('the tarball holds no dist/mod.js')
    if (existsSync(stamp)) return
    await run('publint', ['run', tarball, '--strict'], { cwd: root, shell })
    await run('attw', [tarball, '--profile', 'esm-only', '--no-emoji'], { cwd: root, shell })
    writeFileSync(stamp, manifest.name)
  } catch (error) {
    throw new Error(
      `${manifest.name}\n${error.stdout ?? ''}${error.stderr ?? ''}${error.stdout === undefined ? error.message : ''}`,
    )
  } finally {
    rmSync(tarball, { force: true })
  }
}

mkdirSync(cache, { recursive: true })
const folders = globSync('packages/*', { cwd: root }).filter((folder) => existsSync(join(root, folder, 'package.json')))
if (folders.length === 0) throw new Error('found no package')
const outcomes = await Promise.allSettled(folders.map(check))
const failures = outcomes.filter((outcome) => outcome.status === 'rejected')
for (const { reason } of failures) console.error(reason.message)
console.log(`${folders.length} packages, ${failures.length} broken`)
if (failures.length) process.exitCode = 1
