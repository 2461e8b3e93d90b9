import {
  cryptoReady,
  decodeBase,
  type DeviceId,
  fingerprint,
  foldBase,
  Keyring,
  Law,
  makeCertificate,
  memoryStore,
  openBase,
  OpLog,
  Projector,
  quarantining,
  signingKeysFromSeed,
  startCursor,
  systemPorts,
  Writer,
} from '@driftlog/core'
import { beforeAll, expect, it } from 'vitest'
import { plainRecords } from '../keys/record-cipher.ts'
import { ReplicaState } from '../state/replica-state.ts'
import { renewIdentity } from './identity.ts'
import { Keeper } from './keeper.ts'
import { stateLate } from './late-branches.ts'
import { readAll } from './read-store.ts'

beforeAll(cryptoReady)

const SPACE = 'home'
const NOW = Date.UTC(2026, 0, 1)
const { random, timers } = systemPorts
const keyring = Keyring.unencrypted(SPACE)
const votes = { table: 'notes', path: ['votes'], law: Law.increment }
const text = { table: 'notes', path: ['text'], law: Law.set }

const open = (seed: number) => {
  const keys = signingKeysFromSeed(new Uint8Array(32).fill(seed))
  const device = fingerprint(keys.publicKey)
  const identity = { space: SPACE, device, keys, certificate: makeCertificate(SPACE, keys.publicKey, keys) }
  const projector = new Projector()
  const log = new OpLog(keyring, projector)
  const state = new ReplicaState({ log, projector, writer: new Writer(identity, log, projector, 0, random) })
  const store = quarantining(memoryStore())
  const renew = (givenUp: DeviceId) => renewIdentity({ store, space: SPACE, records: plainRecords, random }, 0, givenUp)
  const keeper = new Keeper({ store, space: SPACE, timers, random, state, read: startCursor, renew })
  keeper.begin()
  const write = (value: string): void => {
    const { writer, projector: now } = state
    const row = now.cells.table('notes').rows.get('x')
    const handle = row && now.handleOf(row)
    const changes = { rowId: 'x', handle, shapes: [text, votes], values: [value, 1], over: undefined }
    writer.write([changes], writer.nextStamp(NOW), 1)
  }
  const held = async () => (await readAll(store, SPACE)).stored
  return { state, keeper, store, write, held, device }
}

it('[CUT11 BR3] who was away states what its work had seen, under another identity; what was written meanwhile too', async () => {
  const [here, away] = [open(1), open(2)]
  here.write('first')
  await here.keeper.settled()
  await away.keeper.ingest(
    (await here.held()).map(({ batch }) => batch),
    undefined,
  )
  away.write('late')
  here.write('second')
  await Promise.all([here.keeper.settled(), away.keeper.settled()])
  const { projector, log } = here.state
  const base = foldBase({ keyring, cut: projector.highest, vector: log.held(), batches: await here.held() })
  const onBase = openBase(base.bytes, keyring, { digest: base.digest })
  let isMeanwhile = true
  const { entering, left } = await stateLate({
    ...away,
    base: decodeBase(base.bytes),
    log: onBase.log,
    hlc: () => {
      if (isMeanwhile) away.write('meanwhile')
      isMeanwhile = false
      return projector.highest + 2 ** 20
    },
  })
  expect([entering, left]).toEqual([[{ branch: away.device, fromSeq: 1, toSeq: 2 }], []])
  expect(away.state.writer.identity.device).not.toBe(away.device)
  const rest = (await away.held()).filter(({ branch }) => branch !== here.device)
  for (const { batch } of rest) onBase.log.addStated(batch)
  for (const { batch, branch } of rest) onBase.log.receive(onBase.log.open(batch), branch)
  await here.keeper.ingest(
    rest.map(({ batch }) => batch),
    undefined,
  )
  await here.keeper.caughtUp()
  expect(onBase.log.damage).toBeUndefined()
  expect(onBase.projector.cells.digest()).toEqual(here.state.projector.cells.digest())
  const row = here.state.projector.cells.table('notes').rows.get('x')!
  expect(row.values).toContainEqual(4)
  expect(JSON.stringify(row.values)).toContain('second')
  expect(JSON.stringify(row.values)).toContain('meanwhile')
  await Promise.all([here.keeper.close(), away.keeper.close()])
})
