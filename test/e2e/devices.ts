/** What every test of the app needs: a browser, a server of its own, and windows in which nothing crashes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { AppWindow } from './app-window.ts'
import { ensureBuiltApp } from './built-app.ts'
import { findChromium, launchChromium } from './chromium.ts'
import { ServerProcess } from './server.ts'

/** Registers the hooks of a test file. */
export const devices = () => {
  let folder = ''
  let executable = ''
  let browser: Browser
  let server: ServerProcess
  const contexts: BrowserContext[] = []
  const windows: AppWindow[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'driftlog-e2e-'))
    await ensureBuiltApp()
    executable = await findChromium(folder)
    browser = await launchChromium(executable)
  }, 90_000)

  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  beforeEach(async () => {
    server = new ServerProcess(await mkdtemp(join(folder, 'server-')))
    await server.start()
  }, 30_000)

  afterEach(async () => {
    const crashes = windows.flatMap((window) => window.crashes)
    windows.length = 0
    await Promise.all(contexts.splice(0).map((context) => context.close()))
    await server.kill()
    expect(crashes).toEqual([])
  })

  /** A browser with nothing in it. */
  const newContext = async (options: BrowserContextOptions = {}): Promise<BrowserContext> => {
    const context = await browser.newContext({
      locale: 'en-GB',
      viewport: { width: 1280, height: 800 },
      ...options,
    })
    contexts.push(context)
    return context
  }

  /** The address may lead to a screen that asks for something. */
  const at = async (context: BrowserContext, address = server.url): Promise<AppWindow> => {
    const window = await AppWindow.at(context, address)
    windows.push(window)
    return window
  }

  const open = async (context: BrowserContext, address?: string): Promise<AppWindow> => {
    const window = await at(context, address)
    await window.isReady()
    return window
  }

  /** Comes in by an invitation. */
  const joined = async (context: BrowserContext, invitation: string): Promise<AppWindow> => {
    const window = await at(context, invitation)
    await window.join()
    return window
  }

  /** The first founds the space; the others are more devices of the same person. */
  const newDevice = async (): Promise<AppWindow> => {
    const invitation = await windows.find(({ page }) => !page.isClosed())?.inviteMyDevice()
    return invitation === undefined ? open(await newContext()) : joined(await newContext(), invitation)
  }

  return {
    /** For files of a test. */
    folder: () => folder,
    executable: () => executable,
    server: () => server,
    newContext,
    at,
    open,
    joined,
    newDevice,
  }
}
