/** A Chromium to test with: the one that is named, the system's, or the one that comes inside an npm package. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const PATIENCE_MS = 20_000
/** As the value of DRIFTLOG_CHROMIUM: the one in the npm package, whatever the system has. */
const BUNDLED = 'bundled'

const SYSTEM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

const browserArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where a Chromium is. One that has to be unpacked goes into `folder`; the caller deletes it in the end. */
export const findChromium = async (folder: string): Promise<string> => {
  const named = process.env['DRIFTLOG_CHROMIUM']
  if (named === BUNDLED) return unpackChromium(folder)
  if (named !== undefined && named !== '') return named
  return SYSTEM.find(existsSync) ?? unpackChromium(folder)
}

/** It takes itself for part of a cloud function: only there it unpacks the libraries too that a bare system lacks. */
const unpackChromium = async (folder: string): Promise<string> => {
  process.env['AWS_LAMBDA_JS_RUNTIME'] ??= 'nodejs22.x'
  process.env['AWS_EXECUTION_ENV'] ??= 'AWS_Lambda_nodejs22.x'
  // It unpacks to a fixed name: in the common temp folder, what an interrupted run left half done would be taken for whole.
  const common = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  try {
    const { default: packed } = await import('@sparticuz/chromium')
    return await packed.executablePath()
  } finally {
    if (common === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = common
  }
}

/** A browser with a profile on disk, to be killed and started again over it. */
export class BrowserProcess {
  readonly #executable: string
  readonly #profile: string
  #child: ChildProcess | undefined

  constructor(executable: string, profile: string) {
    this.#executable = executable
    this.#profile = profile
  }

  async start(): Promise<BrowserContext> {
    const child = spawn(
      this.#executable,
      [...browserArguments, '--remote-debugging-port=0', `--user-data-dir=${this.#profile}`, 'about:blank'],
      // A group of its own: a browser is many processes, and all of them have to go.
      // What a killed browser leaves behind lies in its profile.
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true, env: { ...process.env, TMPDIR: this.#profile } },
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

export const launchChromium = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: browserArguments })
