/**
 * A replay from end to end: history ▸ plan ▸ devices on threads, against a real server ▸ oracle ▸ verdict.
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemPorts } from '@driftlog/core'
import { mintToken } from '@driftlog/server'
import type { Progress } from '../output.ts'
import { startServer } from '../serve/server.ts'
import { Board, type BoardMemory, createBoardMemory } from './board.ts'
import type { History } from './history.ts'
import { type Expectation, expectedState } from './oracle.ts'
import { type Plan, planReplay } from './plan.ts'
import { onInterruption } from '../interruption.ts'
import { runThreads } from './threads.ts'
import { judge, type Verdict } from './verdict.ts'

/** Where to replay to: a space, and a writer's token for it. */
export interface Remote {
  readonly url: string
  readonly space: string
  readonly token: string
}

export interface ReplayOptions {
  readonly history: History
  /** Devices are spread over so many threads. */
  readonly threads: number
  /** A server to replay through, and a space on it that holds nothing yet. Without one, an own server on loopback. */
  readonly remote?: Remote
  /** Leaves the database of the own server where it is. */
  readonly keep: boolean
  /** What the history says must come out; by default the oracle's word. Tests pass something else to see it noticed. */
  readonly expect?: typeof expectedState
  readonly startProgress: (total: number) => Progress
}

export interface ReplayResult {
  readonly plan: Plan
  readonly verdict: Verdict
  readonly expectation: Expectation
  readonly threads: number
  readonly ops: number
  readonly bytes: {
    /** Bodies of the requests of all devices and couriers, and of the answers. */
    readonly sent: number
    readonly received: number
    /** The database of the own server; undefined for a remote one. */
    readonly stored: number | undefined
  }
  readonly ms: { readonly replay: number; readonly check: number }
  /** The database that was kept. */
  readonly kept: string | undefined
}

const SPACE = 'replay'
const TOKEN_SECONDS = 86_400
/** All devices share one subject here, and hurry. */
const NO_RATE_LIMITS = { messagesPerSecond: 1e9, bytesPerSecond: 1e12 }
const PROGRESS_MS = 120
/** How much more work it is to bring one device up to date at the end than to run one session, roughly. */
const CONVERGE_WEIGHT = 20

export const replayHistory = async (options: ReplayOptions): Promise<ReplayResult> => {
  const { history, remote, keep, expect = expectedState } = options
  const plan = planReplay(history)
  const threads = Math.max(1, Math.min(options.threads, plan.devices.length))
  const started = performance.now()
  const own = remote === undefined ? await OwnServer.start(latestOf(history)) : undefined
  const forgetInterruption = onInterruption(() => {
    if (!keep) own?.removeNow()
  })
  try {
    const memory = createBoardMemory(history.commits.length, plan.devices.length)
    const stopProgress = showProgress(plan, memory, options.startProgress)
    const outcomes = await runThreads(
      { commits: history.commits, plan, threads, ...(remote ?? own!.access) },
      memory,
    ).finally(stopProgress)
    const replayed = performance.now()
    // The digest and all that follows is in `outcomes`: what is left to look at is the database.
    await own?.close()
    const stored = await own?.storedBytes()

    const checking = performance.now()
    const board = new Board(memory)
    const deviceOf = new Map(
      plan.devices.flatMap(({ writes }, device) => writes.map((write) => [write, device] as const)),
    )
    const expectation = expect(history, (commit) => board.deviceId(deviceOf.get(commit) as number))
    const ops = plan.devices.reduce(
      (sum, { writes }) => sum + (writes.length > 0 ? board.seqAfter(writes.at(-1)!) : 0),
      0,
    )
    const verdict = judge({
      history,
      ops,
      expectation,
      devices: outcomes.flatMap(({ devices }) => devices).toSorted((a, b) => a.device - b.device),
      shown: outcomes.map(({ files }) => files),
    })
    return {
      plan,
      verdict,
      expectation,
      threads,
      ops,
      bytes: {
        sent: outcomes.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
        received: outcomes.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
        stored,
      },
      ms: { replay: replayed - started, check: performance.now() - checking },
      kept: keep ? own?.database : undefined,
    }
  } finally {
    forgetInterruption()
    await own?.close()
    if (!keep) await own?.remove()
  }
}

/** A server on loopback over SQLite in a temporary directory, for this one replay. */
class OwnServer {
  readonly database: string
  readonly access: Remote
  readonly #directory: string
  readonly #close: () => Promise<void>
  #closing: Promise<void> | undefined

  private constructor(directory: string, access: Remote, close: () => Promise<void>) {
    this.#directory = directory
    this.database = databaseIn(directory)
    this.access = access
    this.#close = close
  }

  /** `latestMs`: of all authors' clocks. */
  static async start(latestMs: number): Promise<OwnServer> {
    const directory = await mkdtemp(join(tmpdir(), 'driftlog-replay-'))
    try {
      const secret = randomBytes(32).toString('base64url')
      // A history from the future is as good as any other: this server's clock is never behind its authors'.
      const clock = { now: () => Math.max(systemPorts.clock.now(), latestMs) }
      const server = await startServer({
        database: databaseIn(directory),
        host: '127.0.0.1',
        port: 0,
        secret,
        limits: NO_RATE_LIMITS,
        ports: { ...systemPorts, clock },
      })
      const token = await mintToken({
        secret,
        subject: 'replay',
        spaces: { [SPACE]: 'writer' },
        expiresInSeconds: TOKEN_SECONDS,
        nowMs: clock.now(),
      })
      const url = `http://127.0.0.1:${server.port}`
      return new OwnServer(directory, { url, space: SPACE, token }, () => server.close())
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  /** Closing twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Once it is closed: what is left on the disk then. */
  async storedBytes(): Promise<number> {
    const names = await readdir(this.#directory)
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(this.#directory, name))).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  /** Where the process ends right now. */
  removeNow(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  remove(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true })
  }
}

const latestOf = ({ commits }: History): number =>
  commits.reduce((latest, { authoredMs }) => Math.max(latest, authoredMs), 0)

const databaseIn = (directory: string): string => join(directory, 'replay.db')

const showProgress = (plan: Plan, memory: BoardMemory, start: ReplayOptions['startProgress']): (() => void) => {
  const board = new Board(memory)
  const sessions = plan.sessions.length
  const progress = start(sessions + plan.devices.length * CONVERGE_WEIGHT)
  let shown = 0
  const show = (): void => {
    const { sessionsDone, devicesConverged } = board
    const done = sessionsDone + devicesConverged * CONVERGE_WEIGHT
    const phase =
      sessionsDone < sessions
        ? `merging: ${sessionsDone} of ${sessions} sessions`
        : `catching up: ${devicesConverged} of ${plan.devices.length} devices`
    progress.advance(done - shown, phase)
    shown = done
  }
  const timer = setInterval(show, PROGRESS_MS)
  return () => {
    clearInterval(timer)
    if (board.isStopped || board.devicesConverged < plan.devices.length) progress.failed('stopped')
    else progress.done('replayed')
  }
}
