/**
 * Whose key is wrong? What the server has and the key here does not open was written with another one (SPEC KEY7):
 *
 *     nothing of what the server has opens    most likely the key here is wrong: an error, once all was looked at
 *     something opens                         somebody pushes who lacks the key: named, and no error
 *
 * Own ops always open. So they count only where the server had them before there was any doubt, or else writing one op would
 * make a wrong key look like the right one.
 */
import type { DeviceId, SessionStatus } from '@driftlog/core'

export interface OpenedHere {
  /** Branches of which something was opened. */
  readonly opened: Iterable<DeviceId>
  readonly isAtServer: (branch: DeviceId) => boolean
  readonly isOwn: (branch: DeviceId) => boolean
}

export class KeyDoubt {
  #isDoubted = false
  #isWrong = false

  /** It stays until something opens: offline too, and while more is looked for. */
  get isKeyWrong(): boolean {
    return this.#isWrong
  }

  note({ refused, caughtUp }: SessionStatus, { opened, isAtServer, isOwn }: OpenedHere): void {
    if (!this.#isDoubted && !refused.some(({ code }) => code === 'KEY_WRONG')) return
    this.#isDoubted = ![...opened].some((branch) => isAtServer(branch) && !(this.#isDoubted && isOwn(branch)))
    this.#isWrong = this.#isDoubted && (this.#isWrong || caughtUp)
  }
}
