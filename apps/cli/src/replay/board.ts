/**
 * What the threads of a replay tell each other, in shared memory: which ops are at the server, and how far everyone is.
 * A session waits here for those that it receives from; as sessions are taken in their planned order, none waits in a
 * circle (PLAN4).
 */
import type { DeviceId } from '@driftlog/core'

const DEVICE_ID_LENGTH = 22
const STOPPED = 0
const SESSIONS_DONE = 1
const DEVICES_CONVERGED = 2
const CONTROL_LENGTH = 3
/** Only an upper bound: whoever waits is woken. */
const WAIT_MS = 500

/** Can be sent to a worker thread. */
export interface BoardMemory {
  readonly control: SharedArrayBuffer
  readonly pushed: SharedArrayBuffer
  readonly deviceIds: SharedArrayBuffer
}

export const createBoardMemory = (commits: number, devices: number): BoardMemory => ({
  control: new SharedArrayBuffer(4 * CONTROL_LENGTH),
  pushed: new SharedArrayBuffer(4 * commits),
  deviceIds: new SharedArrayBuffer(DEVICE_ID_LENGTH * devices),
})

export class Board {
  readonly #control: Int32Array
  /** Position of a commit → its device's seq after it; 0 while that is not at the server. */
  readonly #pushed: Int32Array
  readonly #deviceIds: Uint8Array

  constructor(memory: BoardMemory) {
    this.#control = new Int32Array(memory.control)
    this.#pushed = new Int32Array(memory.pushed)
    this.#deviceIds = new Uint8Array(memory.deviceIds)
  }

  /** Call before the device's first `markPushed`. */
  nameDevice(device: number, id: DeviceId): void {
    this.#deviceIds.set(Buffer.from(id, 'latin1'), device * DEVICE_ID_LENGTH)
  }

  deviceId(device: number): DeviceId {
    const from = device * DEVICE_ID_LENGTH
    return Buffer.from(this.#deviceIds.subarray(from, from + DEVICE_ID_LENGTH)).toString('latin1') as DeviceId
  }

  /** A boundary is at the server, and all that its device wrote before. */
  markPushed(commit: number, seq: number): void {
    Atomics.store(this.#pushed, commit, seq)
    Atomics.notify(this.#pushed, commit)
  }

  /** Waits until a boundary is at the server. Returns its device's seq after it; undefined where the replay stopped. */
  async whenPushed(commit: number): Promise<number | undefined> {
    while (!this.isStopped) {
      const seq = Atomics.load(this.#pushed, commit)
      if (seq > 0) return seq
      await Atomics.waitAsync(this.#pushed, commit, 0, WAIT_MS).value
    }
    return undefined
  }

  /** The device's seq after a boundary that is at the server; else 0. */
  seqAfter(commit: number): number {
    return Atomics.load(this.#pushed, commit)
  }

  sessionDone(): void {
    Atomics.add(this.#control, SESSIONS_DONE, 1)
    Atomics.notify(this.#control, SESSIONS_DONE)
  }

  get sessionsDone(): number {
    return Atomics.load(this.#control, SESSIONS_DONE)
  }

  /** Waits until so many sessions are done; returns early where the replay stopped. */
  async whenSessionsDone(count: number): Promise<void> {
    while (!this.isStopped && this.sessionsDone < count) {
      await Atomics.waitAsync(this.#control, SESSIONS_DONE, this.sessionsDone, WAIT_MS).value
    }
  }

  deviceConverged(): void {
    Atomics.add(this.#control, DEVICES_CONVERGED, 1)
  }

  get devicesConverged(): number {
    return Atomics.load(this.#control, DEVICES_CONVERGED)
  }

  /** One thread failed: the others have nothing to wait for. */
  stop(): void {
    Atomics.store(this.#control, STOPPED, 1)
  }

  get isStopped(): boolean {
    return Atomics.load(this.#control, STOPPED) === 1
  }
}
