/**
 * The keys of one space that are at hand: one for each key epoch, from 1 on. Epoch 0 is no encryption, and its key for tags
 * 32 zero bytes; who has a keyring of an encrypted space takes nothing of it.
 *
 *     epoch key (random, 32) ─┬─ body key:  what bodies are encrypted with
 *                             └─ tag keys:  one a device, what plain headers name places in its chain with (ENV3)
 *
 * A keyring of an encrypted space without keys is *locked*: batches are held and handed on, nothing is opened or written.
 */
import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { tagKey, UNENCRYPTED_EPOCH_KEY } from './chain.ts'
import { deriveKey } from './cipher.ts'

const text = new TextEncoder()

export const EPOCH_KEY_BYTES = 32

interface EpochKeys {
  readonly key: Uint8Array
  /** Derived when it is first asked for. */
  body: Uint8Array | undefined
  readonly tags: Map<DeviceId, Uint8Array>
}

export class Keyring {
  readonly space: string
  readonly isEncrypted: boolean
  readonly #epochs = new Map<number, EpochKeys>()
  #newest = 0

  private constructor(space: string, isEncrypted: boolean) {
    this.space = space
    this.isEncrypted = isEncrypted
  }

  /** Of a space that is not encrypted, by an explicit choice. */
  static unencrypted(space: string): Keyring {
    const ring = new Keyring(space, false)
    ring.#set(0, UNENCRYPTED_EPOCH_KEY)
    return ring
  }

  /** `keys`: epoch → its key. None: locked. Throws OPTION_INVALID for an epoch or a key that cannot be one. */
  static encrypted(space: string, keys: ReadonlyMap<number, Uint8Array>): Keyring {
    const ring = new Keyring(space, true)
    // Tags of the start of a chain tell nothing secret, so they are as in an unencrypted space (BR2).
    ring.#set(0, UNENCRYPTED_EPOCH_KEY)
    for (const [epoch, key] of keys) ring.add(epoch, key)
    return ring
  }

  /** A key came. Throws OPTION_INVALID for an epoch or a key that cannot be one, and where the epoch has another key. */
  add(epoch: number, key: Uint8Array): void {
    const isKey = this.isEncrypted && Number.isSafeInteger(epoch) && epoch >= 1 && key.length === EPOCH_KEY_BYTES
    const known = this.#epochs.get(epoch)
    if (!isKey || (known !== undefined && !equalBytes(known.key, key))) {
      throw new DriftlogError('OPTION_INVALID', 'a key of an encrypted space: 32 bytes, one an epoch, from 1 on', {
        epoch,
      })
    }
    if (known === undefined) this.#set(epoch, key)
    this.#newest = Math.max(this.#newest, epoch)
  }

  /** Epoch → its key, from 1 on. For who keeps or hands on the keys: nobody else needs them. */
  keys(): Map<number, Uint8Array> {
    const keys = new Map<number, Uint8Array>()
    for (const [epoch, { key }] of this.#epochs) if (epoch > 0) keys.set(epoch, key.slice())
    return keys
  }

  /** The epoch to write in. */
  get epoch(): number {
    return this.#newest
  }

  get isLocked(): boolean {
    return this.isEncrypted && this.#newest === 0
  }

  /** What a device's tags are keyed with in an epoch. Throws KEY_MISSING. */
  tagKey(epoch: number, device: DeviceId): Uint8Array {
    const { key, tags } = this.#of(epoch)
    let known = tags.get(device)
    if (known === undefined) tags.set(device, (known = tagKey(key, this.space, device)))
    return known
  }

  /** What bodies of an epoch from 1 on are encrypted with. Throws KEY_MISSING. */
  bodyKey(epoch: number): Uint8Array {
    const keys = this.#of(epoch)
    return (keys.body ??= deriveKey(keys.key, 'driftlog/batch', text.encode(this.space)))
  }

  #of(epoch: number): EpochKeys {
    const keys = this.#epochs.get(epoch)
    if (keys === undefined) throw new DriftlogError('KEY_MISSING', '', { space: this.space, epoch })
    return keys
  }

  #set(epoch: number, key: Uint8Array): void {
    this.#epochs.set(epoch, { key: key.slice(), body: undefined, tags: new Map() })
  }
}
