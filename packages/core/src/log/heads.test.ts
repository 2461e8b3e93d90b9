import { Keyring } from '../crypto/keyring.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import { deviceIdFromBytes } from '../clock/dot.ts'
import { cryptoReady, hash } from '../crypto/sodium.ts'
import { firstHead, opCount } from '../op/run.ts'
import { createReplica, forgeRun, shapes, SPACE, START_MS } from '../testing/replicas.test-support.ts'
import { openBatch } from './seal.ts'
import { MAX_HEADS } from './writer.ts'

describe('heads', () => {
  beforeAll(cryptoReady)

  it('[SEEN1 WR1] of 50,000 devices are taken in by portions: every batch fits, and the mutation saw all of them', () => {
    const replica = createReplica(1)
    const { device, log, projector, writer } = replica
    const others = Array.from({ length: 50_000 }, (_, n) => {
      const seed = new Uint8Array(4)
      new DataView(seed.buffer).setUint32(0, n)
      return deviceIdFromBytes(hash(seed, 16))
    })
    // What they wrote is of no matter here: only that it is projected and can be referred to.
    for (const other of others) {
      projector.begin(other, other, undefined, 0)
      projector.project([forgeRun(other, 1, [{ hlc: 7 }])])
      log.chain.begin(other, new Uint8Array(0))
      log.chain.extend(other, 1, hash(new Uint8Array(0)), 0, 0)
    }
    const { fromSeq, toSeq, hlc } = replica.write(START_MS, replica.change(shapes.insert, 'x'))
    const portions = Math.ceil(others.length / MAX_HEADS)
    expect([fromSeq, toSeq]).toEqual([portions, portions])
    expect(writer.ownHighest).toBe(hlc)
    expect(projector.voidCount).toBe(0)
    expect(projector.headsFor(device)).toEqual([])
    expect(projector.projected.get(device)).toBe(portions)

    const runs = writer.seal().flatMap((batch) => openBatch(batch, Keyring.unencrypted(SPACE)).map(({ run }) => run))
    const counts = runs.flatMap((run) =>
      Array.from({ length: opCount(run) }, (_, op) => run.headEnd[op] - firstHead(run, op)),
    )
    expect(counts).toEqual([...Array<number>(portions - 1).fill(MAX_HEADS), others.length % MAX_HEADS])
  })
})
