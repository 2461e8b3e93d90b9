// Gate: what npm would receive is well formed. Each package is packed as npm does it; publint and attw read the tarball.
// A package whose files passed before is not packed again (the cache holds their hash).
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

/** One hash of all that may enter the tarball. */
function fingerprint(folder) {
  const hash = createHash('sha256')
  const files = globSync(['package.json', 'README.md', '{dist,src}/**/*.*'], {
    cwd: join(root, folder),
    withFileTypes: true,
  })
  for (const file of files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()) {
    hash.update(file).update(readFileSync(file))
  }
  return hash.digest('hex')
}

async function check(folder) {
  const stamp = join(cache, `${fingerprint(folder)}.ok`)
  if (existsSync(stamp)) return
  let tarball
  try {
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', cache]
    const { stdout } = await run('npm', pack, { cwd: join(root, folder), shell })
    const [{ filename, files }] = Object.values(JSON.parse(stdout))
    tarball = join(cache, filename)
    if (!files.some((file) => file.path === 'dist/mod.js')) throw new Error('the tarball holds no dist/mod.js')
    await run('publint', ['run', tarball, '--strict'], { cwd: root, shell })
    await run('attw', [tarball, '--profile', 'esm-only', '--no-emoji'], { cwd: root, shell })
    writeFileSync(stamp, folder)
  } catch (error) {
    throw new Error(`${folder}\n${error.stdout === undefined ? error.message : `${error.stdout}${error.stderr}`}`)
  } finally {
    if (tarball) rmSync(tarball, { force: true })
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
