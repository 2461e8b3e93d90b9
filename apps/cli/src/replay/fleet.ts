/**
 * Runs the devices of one thread through their sessions, and then brings each up to date with everything.
 *
 *     sessions, in the planned order: wait for what it receives ▸ hand over ▸ sync ▸ write ▸ sync if it pushes
 *     all sessions of all threads done
 *     devices, one after the other: open again ▸ sync directly with the server ▸ outcome ▸ close
 *
 * A device is open from its first session to its last; in between to the end only its disk is kept.
 */
import type { DeviceId } from '@driftlog/core'
import { http } from '@driftlog/client'
import type { Board } from './board.ts'
import { type DeviceDisk, type DeviceOutcome, ReplayDevice, type ShownFile } from './devices.ts'
import type { Commit } from './history.ts'
import type { Plan, Session } from './plan.ts'
import { ServerFeed } from './server-feed.ts'

export interface FleetJob {
  readonly commits: readonly Commit[]
  readonly plan: Plan
  readonly url: string
  readonly space: string
  readonly token: string
  /** Which devices are this thread's: those whose number leaves `thread` when divided by `threads`. */
  readonly thread: number
  readonly threads: number
}

export interface FleetOutcome {
  readonly devices: readonly DeviceOutcome[]
  /** What the first device of the thread shows. */
  readonly files: readonly ShownFile[]
  /** Bodies of requests and of answers. */
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** A day: devices of a replay never ask by themselves. */
const POLL_MS = 86_400_000

export const runFleet = async (job: FleetJob, board: Board): Promise<FleetOutcome> => {
  const traffic = { sentBytes: 0, receivedBytes: 0 }
  const direct = http(job.url, { token: () => job.token, fetch: countingFetch(traffic), pollMs: POLL_MS })
  const feed = new ServerFeed(direct, job.space)
  const fleet = new Fleet(job, board, feed, (index, disk) =>
    ReplayDevice.open({ index, space: job.space, direct }, disk),
  )
  try {
    await fleet.replay()
    await board.whenSessionsDone(job.plan.sessions.length)
    return { ...(await fleet.converge()), ...traffic }
  } finally {
    feed.close()
    await fleet.close()
  }
}

type Open = (index: number, disk?: DeviceDisk) => Promise<ReplayDevice>

class Fleet {
  readonly #job: FleetJob
  readonly #board: Board
  readonly #feed: ServerFeed
  readonly #open: Open
  readonly #awake = new Map<number, ReplayDevice>()
  readonly #asleep = new Map<number, DeviceDisk>()
  readonly #sessionsLeft: number[]
  readonly #deviceOfCommit = new Map<number, number>()

  constructor(job: FleetJob, board: Board, feed: ServerFeed, open: Open) {
    this.#job = job
    this.#board = board
    this.#feed = feed
    this.#open = open
    const { devices, sessions } = job.plan
    this.#sessionsLeft = devices.map(() => 0)
    for (const { device } of sessions) this.#sessionsLeft[device]++
    devices.forEach(({ writes }, device) => {
      for (const write of writes) this.#deviceOfCommit.set(write, device)
    })
  }

  #isOwn(device: number): boolean {
    return device % this.#job.threads === this.#job.thread
  }

  async #device(index: number): Promise<ReplayDevice> {
    let device = this.#awake.get(index)
    if (device === undefined) {
      device = await this.#open(index, this.#asleep.get(index))
      this.#asleep.delete(index)
      this.#awake.set(index, device)
      this.#board.nameDevice(index, device.id)
    }
    return device
  }

  async replay(): Promise<void> {
    for (const session of this.#job.plan.sessions) {
      if (this.#board.isStopped) return
      if (!this.#isOwn(session.device)) continue
      await this.#run(session)
      if (--this.#sessionsLeft[session.device] === 0) await this.#sleep(session.device)
      this.#board.sessionDone()
    }
  }

  async #run({ device: index, receives, writes, pushes }: Session): Promise<void> {
    const device = await this.#device(index)
    if (receives.length > 0) {
      for (const commit of receives) {
        const seq = await this.#board.whenPushed(commit)
        if (seq === undefined) return
        device.mailbox.put(await this.#feed.upTo(this.#authorOf(commit), seq))
      }
      await device.sync()
    }
    device.write(writes.map((commit) => this.#job.commits[commit]))
    if (!pushes) return
    await device.sync()
    this.#board.markPushed(writes[writes.length - 1], device.seq)
  }

  async #sleep(index: number): Promise<void> {
    const device = this.#awake.get(index)
    if (device === undefined) return
    this.#awake.delete(index)
    this.#asleep.set(index, await device.closeToDisk((batch) => this.#feed.share(batch)))
  }

  #authorOf(commit: number): DeviceId {
    return this.#board.deviceId(this.#deviceOfCommit.get(commit) as number)
  }

  async converge(): Promise<{ devices: DeviceOutcome[]; files: ShownFile[] }> {
    const devices: DeviceOutcome[] = []
    let files: ShownFile[] | undefined
    for (let index = this.#job.thread; index < this.#job.plan.devices.length; index += this.#job.threads) {
      if (this.#board.isStopped) break
      const device = await this.#device(index)
      device.mailbox.goDirect()
      await device.sync()
      devices.push(device.outcome())
      files ??= await device.files()
      this.#awake.delete(index)
      await device.close()
      this.#board.deviceConverged()
    }
    return { devices, files: files ?? [] }
  }

  async close(): Promise<void> {
    const devices = [...this.#awake.values()]
    this.#awake.clear()
    await Promise.allSettled(devices.map((device) => device.close()))
  }
}

const countingFetch = (traffic: { sentBytes: number; receivedBytes: number }): typeof fetch => {
  return async (input, init) => {
    const sent = init?.body
    if (sent instanceof Uint8Array) traffic.sentBytes += sent.length
    const response = await fetch(input, init)
    const body = await response.arrayBuffer()
    traffic.receivedBytes += body.byteLength
    return new Response(body, { status: response.status, headers: response.headers })
  }
}
