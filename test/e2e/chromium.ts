/** A Chromium to test with: the one that is named, the system's, or the one that comes inside an npm package. */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type Browser, chromium } from 'playwright-core'

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

export const launchChromium = async (): Promise<Browser> =>
  chromium.launch({ executablePath: await chromiumPath(), args: browserArguments })
