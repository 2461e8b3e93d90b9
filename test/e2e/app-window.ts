/** One window of the app, driven by what a person sees: roles and names. Every wait is bounded. */
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

/** What the app shows to scripts. */
interface ReplicaHandle {
  readonly device: string
  readonly status: { readonly summary: string; readonly pending: number; readonly unsaved: number }
  digest(): string
  sync(): Promise<void>
}
declare global {
  interface Window {
    driftlog?: { readonly replica: ReplicaHandle }
  }
}

const PATIENCE_MS = 15_000

/** An assertion that may take a while to come true. */
export const eventually = <T>(read: () => T, message?: string) =>
  expect.poll(read, { timeout: PATIENCE_MS, interval: 50, message })

export class AppWindow {
  readonly page: Page
  /** Errors that no code caught. */
  readonly crashes: string[] = []

  constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(PATIENCE_MS)
    page.on('pageerror', (error) => this.crashes.push(String(error)))
  }

  static async open(context: BrowserContext, url: string): Promise<AppWindow> {
    const window = await AppWindow.at(context, url)
    await window.isReady()
    return window
  }

  /** Where a screen is expected instead of the app. */
  static async at(context: BrowserContext, url: string): Promise<AppWindow> {
    const window = new AppWindow(await context.newPage())
    await window.page.goto(url)
    return window
  }

  /** A screen in the place of the app. */
  async asks(title: string): Promise<void> {
    await this.page.getByRole('heading', { name: title, level: 1 }).waitFor()
  }

  async isReady(): Promise<void> {
    await this.page.waitForFunction(() => window.driftlog !== undefined)
    await this.page.getByRole('searchbox', { name: 'Search all tasks' }).waitFor()
  }

  /** The service worker has everything that a start without a network needs. */
  async isInstalled(): Promise<void> {
    await this.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.isReady()
  }

  // ---- What a person does. --------------------------------------------------------------------------------------------

  async setOnline(online: boolean): Promise<void> {
    await this.page.getByRole('switch', { name: 'Online' }).setChecked(online)
    if (!online) await this.says('offline')
  }

  /** Does not wait for the next attempt to reach the server. */
  async tryNow(): Promise<void> {
    // It may have reached it by itself meanwhile.
    await this.page
      .getByRole('button', { name: 'Try now' })
      .click({ timeout: 1_000 })
      .catch(() => {})
    await this.says('up-to-date')
  }

  async add(title: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'New task' }).fill(title)
    await this.page.keyboard.press('Enter')
    await this.shows(title)
  }

  async tick(title: string): Promise<void> {
    await this.task(title).getByRole('checkbox').check()
  }

  async openTask(title: string): Promise<void> {
    await this.page.getByRole('button', { name: `Open ${title}`, exact: true }).click()
    await this.details.getByRole('textbox', { name: 'Title' }).waitFor()
  }

  async rename(from: string, to: string): Promise<void> {
    await this.openTask(from)
    await this.details.getByRole('textbox', { name: 'Title' }).fill(to)
    await this.page.keyboard.press('Enter')
    await this.shows(to)
  }

  async delete(title: string): Promise<void> {
    await this.task(title).hover()
    await this.page.getByRole('button', { name: `Delete ${title}`, exact: true }).click()
    await this.lacks(title)
  }

  async writeNotes(title: string, notes: string): Promise<void> {
    await this.openTask(title)
    const field = this.details.getByRole('textbox', { name: 'Notes' })
    await field.fill(notes)
    await field.blur()
  }

  async choose(field: string, value: string): Promise<void> {
    await this.conflict(field).getByRole('radio', { name: value }).check()
    await this.conflict(field).getByRole('button', { name: 'Decide' }).click()
  }

  /** In a space without members: what another device opens to read and write along. */
  async keyLink(): Promise<string> {
    await this.page.getByRole('button', { name: 'Add a device' }).click()
    return this.#shownLink('Link with the key')
  }

  /** A link that lets in a person with a role, once. */
  async invite(role: 'Reader' | 'Writer' | 'Admin'): Promise<string> {
    const dialog = await this.people()
    await dialog.getByRole('button', { name: 'Invite a person' }).click()
    await this.page.getByRole('radio', { name: role }).check()
    await this.page.getByRole('button', { name: 'Make an invitation' }).click()
    return this.#shownLink('Invitation link')
  }

  /** A link that lets in another device of the same person, once. */
  async inviteMyDevice(): Promise<string> {
    const dialog = await this.people()
    await dialog.getByRole('button', { name: 'Add another device of mine' }).click()
    return this.#shownLink('Invitation link')
  }

  async #shownLink(label: string): Promise<string> {
    const link = await this.page.getByRole('textbox', { name: label }).inputValue()
    await this.page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    return link
  }

  /** Opens the list of members. */
  async people(): Promise<Locator> {
    await this.page.getByRole('button', { name: 'People and devices' }).click()
    return this.page.getByRole('dialog', { name: 'People and devices' })
  }

  /** Says yes to an invitation. */
  async join(): Promise<void> {
    await this.asks('You are invited')
    await this.page.getByRole('button', { name: 'Join' }).click()
    await this.isReady()
  }

  /** The name by which the others know this window. */
  async nameMe(name: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Say who you are' }).click()
    await this.page.getByRole('textbox', { name: 'Your name' }).fill(name)
    await this.page.keyboard.press('Enter')
    await this.page.getByRole('button', { name: `You are ${name}` }).waitFor()
  }

  // ---- What a person sees. --------------------------------------------------------------------------------------------

  get details(): Locator {
    return this.page.getByRole('complementary', { name: 'Task details' })
  }

  task(title: string): Locator {
    return this.page
      .getByRole('list', { name: 'Tasks' })
      .getByRole('listitem')
      .filter({ has: this.page.getByRole('checkbox', { name: title, exact: true }) })
  }

  async shows(title: string): Promise<void> {
    await eventually(() => this.task(title).count(), `shows “${title}” once`).toBe(1)
  }

  async lacks(title: string): Promise<void> {
    await eventually(() => this.task(title).count(), `does not show “${title}”`).toBe(0)
  }

  async isTicked(title: string): Promise<void> {
    await eventually(() => this.task(title).getByRole('checkbox').isChecked()).toBe(true)
  }

  async says(summary: 'offline' | 'syncing' | 'conflict' | 'up-to-date' | 'error'): Promise<void> {
    const status = this.page.getByRole('status', { name: 'Sync status' })
    await eventually(() => status.getAttribute('data-summary')).toBe(summary)
  }

  /** Where a person decides between the values of a field. */
  conflict(field: string): Locator {
    return this.details.getByRole('form', { name: `${field}: two versions` })
  }

  /** What somebody decided about a field. */
  decision(field: string): Locator {
    return this.details.getByRole('article', { name: `${field}: decided` })
  }

  // ---- What the replica says. -----------------------------------------------------------------------------------------

  digest(): Promise<string> {
    return this.page.evaluate(() => window.driftlog!.replica.digest())
  }

  device(): Promise<string> {
    return this.page.evaluate(() => window.driftlog!.replica.device)
  }

  /** Everything written here is durable on this device. */
  async isStored(): Promise<void> {
    await eventually(() => this.page.evaluate(() => window.driftlog!.replica.status.unsaved)).toBe(0)
  }
}

/** All have sent everything and show the same. */
export const converge = async (...windows: readonly AppWindow[]): Promise<void> => {
  await Promise.all(windows.map(({ page }) => page.evaluate(() => window.driftlog!.replica.sync())))
  const digests = async () => new Set(await Promise.all(windows.map((window) => window.digest()))).size
  await eventually(digests, 'one digest').toBe(1)
}
