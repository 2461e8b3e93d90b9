/** A server in a process of its own, that says where it is and ends when its parent says so, or is gone. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const END_WITHIN_MS = 5_000

export interface Child<Announcement> {
  readonly announcement: Announcement
  end(): Promise<void>
}

/** `file` sends one message to its parent, the announcement, and ends when it is disconnected. */
export const startChild = async <Announcement>(
  file: URL,
  args: readonly string[] = [],
): Promise<Child<Announcement>> => {
  const child = fork(fileURLToPath(file), args)
  return { announcement: await announcementOf<Announcement>(child), end: () => end(child) }
}

const announcementOf = <Announcement>(child: ChildProcess): Promise<Announcement> =>
  new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Announcement))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the server ended (${code})`)))
  })

const end = async (child: ChildProcess): Promise<void> => {
  const exited = once(child, 'exit')
  child.disconnect()
  const limit = new AbortController()
  const inTime = await Promise.race([exited, setTimeout(END_WITHIN_MS, undefined, { signal: limit.signal })])
  limit.abort()
  if (inTime === undefined) child.kill('SIGKILL')
}
