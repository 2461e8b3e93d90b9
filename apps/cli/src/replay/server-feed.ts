/** Reads a space from a server in its arrival order, over the protocol, and keeps every batch: what a courier carries. */
import { setTimeout } from 'node:timers/promises'
import {
  type Batch,
  type Cursor,
  decodeBatch,
  type DeviceId,
  DriftlogError,
  type ErrorCode,
  equalBytes,
  type ServerMessage,
  startCursor,
} from '@driftlog/core'
import type { Connection, Transport } from '@driftlog/client'

type Page = Extract<ServerMessage, { type: 'page' }>

export interface CarriedBatch {
  readonly bytes: Uint8Array
  readonly header: Batch['header']
  /** Its place among all that this feed has read, from 0. */
  readonly order: number
}

/** A busy server is asked again after so long, so many times. */
const RETRY_MS = 1_000
const MOST_RETRIES = 60

export class ServerFeed {
  readonly #transport: Transport
  readonly #space: string
  readonly #ofDevice = new Map<DeviceId, CarriedBatch[]>()
  #connection: Connection | undefined
  #cursor: Cursor = startCursor
  #count = 0
  #lastId = 0
  #awaited: { readonly id: number; resolve(page: Page): void; reject(error: Error): void } | undefined
  #reading: Promise<void> | undefined

  /** `transport`: a round-trip one; the feed asks only when it needs something. */
  constructor(transport: Transport, space: string) {
    this.#transport = transport
    this.#space = space
  }

  /** The device's batches up to `seq`, in order. Rejects where the server does not have them, though it said so. */
  async upTo(device: DeviceId, seq: number): Promise<readonly CarriedBatch[]> {
    if (this.#heldSeq(device) < seq) {
      // Whoever asks while a reading is under way may need what came after it began.
      await this.#reading
      if (this.#heldSeq(device) < seq) {
        this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
        await this.#reading
      }
    }
    if (this.#heldSeq(device) < seq) {
      throw new DriftlogError('GAP', 'the server lacks what it acknowledged', {
        device,
        seq,
        have: this.#heldSeq(device),
      })
    }
    const list = this.#ofDevice.get(device) ?? []
    return list.slice(0, lastUpTo(list, seq) + 1)
  }

  /** The bytes of a batch as this feed holds them, so that many devices can share them; the given ones where it does not. */
  share({ header, bytes }: Batch): Uint8Array {
    const list = this.#ofDevice.get(header.device) ?? []
    const shared = list[lastUpTo(list, header.toSeq)]
    return shared !== undefined && equalBytes(shared.bytes, bytes) ? shared.bytes : bytes
  }

  close(): void {
    this.#connection?.close()
    this.#connection = undefined
  }

  #heldSeq(device: DeviceId): number {
    return this.#ofDevice.get(device)?.at(-1)?.header.toSeq ?? 0
  }

  async #read(): Promise<void> {
    for (let more = true; more; ) {
      const page = await this.#askPatiently()
      for (const bytes of page.batches) this.#take(bytes)
      this.#cursor = page.cursor
      more = page.more
    }
  }

  async #askPatiently(): Promise<Page> {
    for (let retries = 0; ; retries++) {
      try {
        return await this.#ask()
      } catch (error) {
        const isPassing =
          error instanceof DriftlogError && (error.code === 'UNAVAILABLE' || error.code === 'RATE_LIMITED')
        if (!isPassing || retries === MOST_RETRIES) throw error
        this.close()
        await setTimeout(RETRY_MS)
      }
    }
  }

  #ask(): Promise<Page> {
    this.#connection ??= this.#connect()
    const connection = this.#connection
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#awaited = { id, resolve, reject }
      connection.send([{ type: 'pull', id, after: this.#cursor }])
    })
  }

  #connect(): Connection {
    return this.#transport.connect(this.#space, {
      opened: () => {},
      message: (message) => {
        const awaited = this.#awaited
        if (message.type === 'page' && awaited !== undefined && message.id === awaited.id) awaited.resolve(message)
        else if (message.type === 'refused') this.#fail(message.code, message.message)
      },
      closed: (failure) => this.#fail(failure?.code ?? 'UNAVAILABLE', failure?.message),
    })
  }

  #take(bytes: Uint8Array): void {
    const { header } = decodeBatch(bytes)
    const carried = { bytes, header, order: this.#count++ }
    const list = this.#ofDevice.get(header.device)
    if (list === undefined) this.#ofDevice.set(header.device, [carried])
    else list.push(carried)
  }

  #fail(code: ErrorCode, message?: string): void {
    this.#awaited?.reject(new DriftlogError(code, message))
    this.#awaited = undefined
  }
}

/** The index of the last batch that ends at `seq` or below; -1 for none. */
const lastUpTo = (list: readonly CarriedBatch[], seq: number): number => {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle].header.toSeq <= seq) low = middle + 1
    else high = middle
  }
  return low - 1
}
