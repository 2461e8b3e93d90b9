/** Sealed batches for a server alone, and for its kind of store alone. */
import { join } from 'node:path'
import { type Connection, webSocket } from '@driftlog/client'
import { type Batch, memoryStore, PROTOCOL_VERSION, type ServerMessage } from '@driftlog/core'
import { sqlite } from '@driftlog/store-sqlite'
import { makeTasks } from '../../data/tasks.ts'
import type { Feed, FeedSize } from '../subject.ts'
import { openDevice } from './device.ts'
import { SPACE } from './schema.ts'
import { launchServer, type Launched } from './server.ts'
import { batchesAbove } from './stores.ts'

const SEED = 8
/** What a device puts in one push at most, and how many of them it has under way. */
const PUSH_LIMIT = { batches: 64, bytes: 500_000 }
const WINDOW = 4

type Group = readonly Batch[]

const sealed = async (device: number, { rounds, ops, opsABatch }: FeedSize): Promise<Batch[]> => {
  const writer = await openDevice(memoryStore())
  for (const [index, task] of makeTasks(rounds * ops, SEED + device).entries()) {
    writer.insert(task)
    if (index % opsABatch === opsABatch - 1 || index % ops === ops - 1) await writer.stored()
  }
  const batches = await batchesAbove(writer.store, new Map())
  await writer.close()
  return batches
}

/** As a device pushes them. */
const grouped = (batches: readonly Batch[]): Group[] => {
  const groups: Batch[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const batch of batches) {
    const isFull = groups.at(-1)?.length === PUSH_LIMIT.batches || bytes + batch.bytes.length > PUSH_LIMIT.bytes
    if (isFull) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)!.push(batch)
    bytes += batch.bytes.length
  }
  return groups
}

/** A connection that only pushes. */
class Pusher {
  readonly #waiting = new Map<number, (outcome: ServerMessage) => void>()
  readonly #connection: Connection
  #pushes = 0

  private constructor(
    connect: (message: (message: ServerMessage) => void, opened: () => void) => Connection,
    opened: () => void,
  ) {
    this.#connection = connect((message) => this.#take(message), opened)
  }

  static open({ url, token }: Launched): Promise<Pusher> {
    return new Promise((resolve, reject) => {
      const pusher: Pusher = new Pusher(
        (message, opened) =>
          webSocket(url, { token: () => token }).connect(SPACE, {
            opened,
            message,
            closed: (failure) => reject(new Error(failure?.code ?? 'closed')),
          }),
        () => {
          pusher.#connection.send([{ type: 'hello', protocol: PROTOCOL_VERSION, space: SPACE }])
          resolve(pusher)
        },
      )
    })
  }

  #take(message: ServerMessage): void {
    if (message.type === 'page' || message.type === 'welcome') return
    if (message.type !== 'pushed') throw new Error(`the server answered ${JSON.stringify(message)}`)
    this.#waiting.get(message.id)?.(message)
    this.#waiting.delete(message.id)
  }

  async push(groups: readonly Group[]): Promise<void> {
    const underWay = new Set<Promise<void>>()
    for (const group of groups) {
      if (underWay.size === WINDOW) await Promise.race(underWay)
      const confirmed: Promise<void> = this.#pushOne(group).finally(() => underWay.delete(confirmed))
      underWay.add(confirmed)
    }
    await Promise.all(underWay)
  }

  async #pushOne(group: Group): Promise<void> {
    const id = ++this.#pushes
    const answer = await new Promise<ServerMessage>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#connection.send([{ type: 'push', id, batches: group.map(({ bytes }) => bytes) }])
    })
    const refused = answer.type === 'pushed' && answer.outcomes.find(({ kind }) => kind !== 'appended')
    if (refused) throw new Error(`the server refused a batch: ${JSON.stringify(refused)}`)
  }

  close(): void {
    this.#connection.close()
  }
}

export const openFeed = async (folder: string, size: FeedSize): Promise<Feed> => {
  const rounds: Group[][][] = Array.from({ length: size.rounds }, () => [])
  for (let device = 0; device < size.devices; device++) {
    const batches = await sealed(device, size)
    for (let round = 0; round < size.rounds; round++) {
      const isOfRound = ({ header }: Batch): boolean => Math.floor((header.fromSeq - 1) / size.ops) === round
      rounds[round].push(grouped(batches.filter(isOfRound)))
    }
  }
  const raw = sqlite(join(folder, 'raw.db'))
  const server = await launchServer(folder)
  const pushers = await Promise.all(Array.from({ length: size.devices }, () => Pusher.open(server)))
  return {
    async push(round) {
      await Promise.all(pushers.map((pusher, device) => pusher.push(rounds[round][device])))
    },
    async append(round) {
      await Promise.all(
        rounds[round].map(async (groups) => {
          for (const group of groups) await raw.append(SPACE, group)
        }),
      )
    },
    async close() {
      for (const pusher of pushers) pusher.close()
      await raw.close()
      await server.end()
    },
  }
}
