import { describe, expect, it, vi } from 'vitest'
import { AppendQueue } from './append-queue.ts'

const setup = (commit: (requests: readonly number[]) => readonly string[]) => {
  const turns: (() => void)[] = []
  const commits = vi.fn(commit)
  const queue = new AppendQueue<number, string>({
    defer: (run) => void turns.push(run),
    commit: commits,
    isHopeless: (error) => error === 'busy',
    sizeOf: (request) => request,
  })
  const turn = (): void => turns.shift()?.()
  return { queue, commits, turn, turns }
}
const named = (requests: readonly number[]): string[] => requests.map(String)

describe('group commit', () => {
  it('commits what is asked for in one turn together, in order', async () => {
    const { queue, commits, turn, turns } = setup(named)
    const results = Promise.all([3, 1, 2].map((request) => queue.push(request)))
    expect(turns).toHaveLength(1)
    expect(commits).not.toHaveBeenCalled()
    turn()
    expect(await results).toEqual(['3', '1', '2'])
    expect(commits.mock.calls).toEqual([[[3, 1, 2]]])
    void queue.push(4)
    expect(turns).toHaveLength(1)
  })

  it('bounds a group by bytes and gives the event loop a turn between groups', async () => {
    const { queue, commits, turn } = setup(named)
    const results = Promise.all([5_000_000, 3_000_000, 1, 9_000_000, 9_000_001].map((request) => queue.push(request)))
    turn()
    expect(commits.mock.lastCall).toEqual([[5_000_000, 3_000_000]])
    turn()
    expect(commits.mock.lastCall).toEqual([[1]])
    turn()
    turn()
    expect(commits).toHaveBeenCalledTimes(4)
    expect(await results).toHaveLength(5)
  })

  it('tries the calls of a failed group one by one, so that a failing call fails alone', async () => {
    const { queue, commits, turn } = setup((requests) => {
      if (requests.includes(13)) throw new Error('unlucky')
      return named(requests)
    })
    const results = Promise.allSettled([1, 13, 2].map((request) => queue.push(request)))
    turn()
    const settled = await results
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(commits.mock.calls).toEqual([[[1, 13, 2]], [[1]], [[13]], [[2]]])
  })

  it('does not wait for a busy lock once for each call', async () => {
    const { queue, commits, turn } = setup(() => {
      throw 'busy'
    })
    const results = Promise.allSettled([1, 2].map((request) => queue.push(request)))
    turn()
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(commits).toHaveBeenCalledTimes(1)
  })

  it('drains everything at once when it is closed', async () => {
    const { queue, commits, turn } = setup(named)
    const results = Promise.all([8_000_000, 8_000_000].map((request) => queue.push(request)))
    queue.drain()
    expect(commits).toHaveBeenCalledTimes(2)
    expect(await results).toHaveLength(2)
    turn()
    expect(commits).toHaveBeenCalledTimes(2)
  })
})
