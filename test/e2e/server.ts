/** `driftlog serve` as a process of its own, to be killed and started again over the same file and port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cli = join(root, 'apps/cli/src/main.ts')
const app = join(root, 'apps/web/dist')
const PATIENCE_MS = 20_000

export class ServerProcess {
  readonly #database: string
  #url = ''
  #child: ChildProcess | undefined

  constructor(folder: string) {
    this.#database = join(folder, 'server.db')
  }

  /** What lies on the disk: the database, and what SQLite has beside it. */
  async bytes(): Promise<Buffer> {
    const beside = ['', '-wal', '-shm'].map((ending) => readFile(this.#database + ending).catch(() => Buffer.alloc(0)))
    return Buffer.concat(await Promise.all(beside))
  }

  get url(): string {
    return this.#url
  }

  /** Resolves when it listens. The first start finds a free port; later ones take the same again. */
  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port
    const child = spawn(
      process.execPath,
      ['--conditions=driftlog-source', cli, 'serve', '--demo', '--db', this.#database, '--port', port, '--web', app],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#child = child
    this.#url = await new Promise((resolve, reject) => {
      let said = ''
      const fail = (what: string) => reject(new Error(`the server ${what}:\n${said}`))
      const timer = setTimeout(() => fail('does not listen'), PATIENCE_MS)
      const hear = (chunk: Buffer) => {
        said += String(chunk)
        const url = /http:\/\/[^\s:]+:\d+/.exec(said)?.[0]
        if (url === undefined) return
        clearTimeout(timer)
        resolve(url)
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.on('exit', (code, signal) => fail(`ended with ${signal ?? code}`))
    })
  }

  /** Without a warning, as a power cut. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
}
