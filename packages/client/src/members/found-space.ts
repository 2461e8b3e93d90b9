import {
  type BatchStore,
  checkSpaceId,
  cryptoReady,
  encodeEntry,
  DriftlogError,
  EPOCH_KEY_BYTES,
  installationSecrets,
  makeRotation,
  Membership,
  type Ports,
  publicKeysOf,
  startCursor,
  START_HASH,
  systemPorts,
} from '@driftlog/core'
import { type InstallationKey, readInstallationKey } from '../keys/installation-key.ts'
import { memberRecords } from '../keys/load-keys.ts'
import { entryRecord } from './local-members.ts'

export interface FoundSpaceOptions {
  /** 1 to 64 letters, digits, `-` or `_`. A server has one space of an id: take one that nobody guesses, as `crypto.randomUUID()`. */
  readonly space: string
  readonly store: BatchStore
  /** This installation's; the app keeps it, or a vault does. */
  readonly key: InstallationKey
  readonly ports?: Pick<Ports, 'clock' | 'random'>
}

/**
 * Begins a space with members, whose first admin is this installation; offline too: the server is told when it is first met. Open it
 * with `openReplica` and the same key. Rejects with OPTION_INVALID where the store has something of the space already.
 */
export const foundSpace = async ({ space, store, key, ports = systemPorts }: FoundSpaceOptions): Promise<void> => {
  checkSpaceId(space)
  await cryptoReady()
  await expectNothing(store, space)
  const { random } = ports
  const secret = readInstallationKey(key)
  const secrets = installationSecrets(secret)
  const keys = publicKeysOf(secrets)
  const epochKey = random.bytes(EPOCH_KEY_BYTES)
  const rotation = makeRotation(new Membership(space), epochKey, [keys], undefined, random)
  const place = { space, position: 1, before: START_HASH, atMs: Math.max(0, Math.floor(ports.clock.now())) }
  const entry = encodeEntry({ ...place, deed: { kind: 'found', keys, rotation } }, secrets.signing)
  const records = memberRecords(space, secret, { epochs: new Map([[1, epochKey]]), entries: [entry] }, random)
  // Two windows that found the same space: one of them does.
  await store.append(space, [], { records, absent: [entryRecord(1, entry).key] })
}

/** Rejects with OPTION_INVALID. What a locked replica has kept, but for batches, is no matter. */
export const expectNothing = async (store: BatchStore, space: string): Promise<void> => {
  const records = await Promise.all(['keys', 'installation', 'member/'].map((prefix) => store.records(space, prefix)))
  const { batches } = await store.readAfter(space, startCursor, { batches: 1, bytes: 1 })
  if (batches.length > 0 || records.flat().length > 0)
    throw new DriftlogError('OPTION_INVALID', 'the store has something of the space already', { space })
}
