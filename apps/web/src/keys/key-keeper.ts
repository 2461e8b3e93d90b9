/**
 * The key of the open space, and where it is kept: in the clear, or in a vault under a passphrase.
 *
 *     in the clear ── protect ─▶ in both ── the recovery code is written down ─▶ in the vault
 *
 * Invariant: the key in the clear goes last, so that at every moment something that the person has opens the space.
 */
import { createVault, isSpaceKey, type SpaceKey, type Vault } from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'
import { forgetKey, type OwnKey } from './kept-key.ts'

export interface KeyKeeperOptions {
  readonly space: string
  readonly store: BatchStore
  readonly key: OwnKey
  /** undefined: it is kept in the clear. */
  readonly vault: Vault | undefined
  /** Locks other windows, which still have the key. */
  readonly lockOthers: () => void
  /** Locks this one. Resolves only where it could not. */
  readonly lockHere: () => Promise<void>
}

export class KeyKeeper {
  readonly #options: KeyKeeperOptions
  #vault: Vault | undefined
  #isProtected: boolean
  readonly #listeners = new Set<() => void>()

  constructor(options: KeyKeeperOptions) {
    this.#options = options
    this.#vault = options.vault
    this.#isProtected = options.vault !== undefined
  }

  get space(): string {
    return this.#options.space
  }

  /** To share, where the space has no members; where it has, the key is this installation's alone. */
  get spaceKey(): SpaceKey | undefined {
    const { key } = this.#options
    return isSpaceKey(key) ? key : undefined
  }

  /** Only a passphrase opens the space here. */
  readonly isProtected = (): boolean => this.#isProtected

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Puts the key under a passphrase too. Resolves with the recovery code; once it is written down, see `codeIsWritten`. */
  async protect(passphrase: string): Promise<string> {
    const { store, space, key } = this.#options
    const { vault, recoveryCode } = await createVault({ store, passphrase })
    await vault.addSpace(space, key)
    this.#vault = vault
    return recoveryCode
  }

  /** From now on the passphrase, or the code, is asked for. */
  async codeIsWritten(): Promise<void> {
    await forgetKey(this.#options.store, this.#options.space)
    if (this.#isProtected) return
    this.#isProtected = true
    this.#options.lockOthers()
    for (const listener of this.#listeners) listener()
  }

  async changePassphrase(passphrase: string): Promise<void> {
    await this.#openVault.changePassphrase(passphrase)
  }

  /** Another one, in the place of the one before. */
  renewRecoveryCode(): Promise<string> {
    return this.#openVault.renewRecoveryCode()
  }

  lock(): Promise<void> {
    this.#options.lockOthers()
    return this.#options.lockHere()
  }

  get #openVault(): Vault {
    if (this.#vault === undefined) throw new Error('The key is in no vault yet.')
    return this.#vault
  }
}
