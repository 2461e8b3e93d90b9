/** A Node process of this test: started from source, read line by line, killed by its pid. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export class Child {
  readonly #process: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #ready: Promise<string>
  #errors = ''

  constructor(script: string, args: readonly string[], hear: (word: string, value: string) => void) {
    const path = fileURLToPath(new URL(script, import.meta.url))
    this.#process = spawn(process.execPath, ['--conditions=driftlog-source', path, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // `close` comes when all that it said has been read too.
    this.#closed = once(this.#process, 'close')
    this.#process.stderr!.on('data', (data: Buffer) => {
      this.#errors += data.toString()
    })
    this.#ready = new Promise((resolve, reject) => {
      createInterface(this.#process.stdout!).on('line', (line) => {
        // The line that the kill cut off may lack its end.
        const [, word, value] = /^(\w+) (\S+)$/.exec(line) ?? []
        if (word === 'ready') resolve(value)
        else if (word !== undefined) hear(word, value)
      })
      void this.#closed.then(() => reject(new Error(`${script} ended before it was ready: ${this.#errors}`)))
    })
    this.#ready.catch(() => undefined)
  }

  /** What it said after `ready`. */
  ready(): Promise<string> {
    return this.#ready
  }

  /** kill -9; resolves when it is gone. Throws where it was gone before. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null) throw new Error(`ended by itself: ${this.#errors}`)
    this.#process.kill('SIGKILL')
    await this.#closed
  }

  /** Kills it if it still runs. */
  async end(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill()
  }
}
