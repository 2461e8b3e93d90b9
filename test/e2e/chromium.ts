/** A Chromium to test with: the one that is named, the system's, or the one that comes inside an npm package. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const PATIENCE_MS = 20_000

const SYSTEM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

export const browserArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const chromiumPath = async (): Promise<string> => {
  const named = process.env['DRIFTLOG_CHROMIUM']
  if (named !== undefined && named !== '') return named
  return SYSTEM.find(existsSync) ?? unpackChromium()
}

/** It thinks of itself as part of a cloud function: only there it unpacks the libraries that a bare system lacks. */
const unpackChromium = async (): Promise<string> => {
  process.env['AWS_LAMBDA_JS_RUNTIME'] ??= 'nodejs22.x'
  process.env['AWS_EXECUTION_ENV'] ??= 'AWS_Lambda_nodejs22.x'
  // What an interrupted run left half unpacked would be taken for whole.
  await rm(join(tmpdir(), 'chromium'), { force: true })
  const { default: packed } = await import('@sparticuz/chromium')
  return packed.executablePath()
}

/** A browser with a profile on disk, to be killed and started again over it. */
export class BrowserProcess {
  readonly #profile: string
  #child: ChildProcess | undefined

  constructor(profile: string) {
    this.#profile = profile
  }

  async start(): Promise<BrowserContext> {
    const child = spawn(
      await chromiumPath(),
      [...browserArguments, '--remote-debugging-port=0', `--user-data-dir=${this.#profile}`, 'about:blank'],
      // A group of its own: a browser is many processes, and all of them have to go.
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    )
    this.#child = child
    const endpoint = await new Promise<string>((resolve, reject) => {
      let said = ''
      const fail = (what: string) => reject(new Error(`the browser ${what}:\n${said}`))
      const timer = setTimeout(() => fail('does not answer'), PATIENCE_MS)
      child.stderr.on('data', (chunk: Buffer) => {
        said += String(chunk)
        const found = /ws:\/\/\S+/.exec(said)?.[0]
        if (found === undefined) return
        clearTimeout(timer)
        resolve(found)
      })
      child.on('exit', (code, signal) => fail(`ended with ${signal ?? code}`))
    })
    const [context] = (await chromium.connectOverCDP(endpoint)).contexts()
    if (context === undefined) throw new Error('the browser has no context')
    return context
  }

  /** Without a warning, as a battery that is empty. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    process.kill(-child.pid, 'SIGKILL')
    await ended
  }
}

export const launchChromium = async (): Promise<Browser> =>
  chromium.launch({ executablePath: await chromiumPath(), args: browserArguments })
