/**
 * Replays histories end to end: the command, its threads, a real server over SQLite, real replicas. What must come out is
 * computed from the commit graph alone.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { mintToken } from '@driftlog/server'
import { http, openReplica } from '@driftlog/client'
import { memoryStore } from '@driftlog/core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readHistory } from '../../apps/cli/src/replay/history.ts'
import { expectedState } from '../../apps/cli/src/replay/oracle.ts'
import { reportOf } from '../../apps/cli/src/replay/report.ts'
import { replayHistory } from '../../apps/cli/src/replay/run.ts'
import { replaySchema } from '../../apps/cli/src/replay/schema.ts'
import { startServer } from '../../apps/cli/src/serve/server.ts'
import { type GeneratedCommit, generateHistory, linesOf } from './history-generator.ts'
import { startProxy } from './proxy.ts'

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)))
const main = join(root, 'apps', 'cli', 'src', 'main.ts')

/** The real history: this many commits of it, or all where DRIFTLOG_WHOLE_HISTORY is set. */
const REAL_COMMITS = 1_200
const TIMEOUT_MS = 300_000
const noProgress = { advance: () => {}, message: () => {}, done: () => {}, failed: () => {} }

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'driftlog-replay-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const save = async (name: string, history: readonly GeneratedCommit[]): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, name.endsWith('.gz') ? gzipSync(linesOf(history)) : linesOf(history))
  return path
}

interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

const driftlog = (...args: string[]): Promise<Ended> =>
  new Promise((settle, reject) => {
    const child = spawn(process.execPath, ['--conditions=driftlog-source', main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.once('error', reject)
    child.once('close', (exitCode) => settle({ exitCode, stdout, stderr }))
  })

describe('generated histories', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 1],
  ])('seed %i on %i threads agrees with the graph', { timeout: TIMEOUT_MS }, async (seed, threads) => {
    const generated = generateHistory(seed, 150)
    const path = await save(`generated-${seed}.jsonl.gz`, generated)
    const { exitCode, stdout, stderr } = await driftlog('replay', path, '--json', '--threads', String(threads))
    expect(stderr).toContain('agrees')
    const report = JSON.parse(stdout)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(report).toMatchObject({
      agrees: true,
      differences: [],
      commits: 150,
      mutations: generated.filter(({ files }) => files.length > 0).length,
      digest: expect.stringMatching(/^[0-9a-f]{128}$/),
    })
    // Otherwise there was nothing to merge.
    expect(report.devices).toBeGreaterThan(6)
    expect(report.conflicts).toBeGreaterThan(0)
    expect(exitCode).toBe(0)
  })

  test('a history replays to the same digest, however many threads there are', { timeout: TIMEOUT_MS }, async () => {
    const history = await readHistory(await save('again.jsonl', generateHistory(4, 80)))
    const replay = (threads: number) =>
      replayHistory({ history, threads, keep: false, startProgress: () => noProgress })
    const [one, three] = [await replay(1), await replay(3)]
    expect(one.verdict).toMatchObject({ agrees: true, digest: three.verdict.digest })
  })

  test('a changed expectation is noticed', { timeout: TIMEOUT_MS }, async () => {
    const history = await readHistory(await save('tampered.jsonl', generateHistory(5, 60)))
    const { commits } = history
    const last = commits.findLastIndex(({ files }) => files.length > 0)
    const [file, ...others] = commits[last].files
    const tampered = commits.with(last, { ...commits[last], files: [{ ...file, added: file.added + 1 }, ...others] })
    const result = await replayHistory({
      history,
      threads: 1,
      keep: false,
      expect: (_, deviceIdOf) => expectedState({ commits: tampered }, deviceIdOf),
      startProgress: () => noProgress,
    })
    expect(result.verdict.agrees).toBe(false)
    expect(reportOf(history, result).differences).toEqual([expect.stringContaining(`${file.path}: lines`)])
  })
})

describe('through another server', () => {
  const space = 'elsewhere'
  const secret = 'a secret of at least thirty-two characters'
  const close: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of close.splice(0)) await stop()
  })

  const start = async (name: string) => {
    const server = await startServer({ database: join(folder, `${name}.db`), host: '127.0.0.1', port: 0, secret })
    close.push(() => server.close())
    const spaces = { [space]: 'writer' } as const
    const token = await mintToken({ secret, subject: 'test', spaces, expiresInSeconds: 600, nowMs: Date.now() })
    return { url: `http://127.0.0.1:${server.port}`, token }
  }
  const replayThrough = (path: string, url: string, token: string) =>
    driftlog('replay', path, '--threads', '1', '--server', url, '--space', space, '--token', token)

  test('it agrees, once: the second time the space is not empty', { timeout: TIMEOUT_MS }, async () => {
    const path = await save('through.jsonl', generateHistory(6, 40))
    const { url, token } = await start('through')
    expect(await replayThrough(path, url, token)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('agrees'),
    })
    expect(await replayThrough(path, url, token)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^SPACE_NOT_EMPTY /),
    })
  })

  test('a byte that changes on the way is noticed', { timeout: TIMEOUT_MS }, async () => {
    const path = await save('changed.jsonl', generateHistory(7, 40))
    const { url, token } = await start('changed')
    const proxy = await startProxy(url, {
      // In the signature of the last batch of the first long answer.
      answer: (body) => (body.length > 1_000 ? body.with(-200, body.at(-200)! ^ 1) : body),
    })
    close.push(proxy.close)
    const { exitCode, stderr } = await replayThrough(path, proxy.url, token)
    expect(stderr).toMatch(/^(SIGNATURE_INVALID|CERTIFICATE_INVALID|MALFORMED|CHAIN_BROKEN) /m)
    expect(exitCode).toBe(1)
  })

  test('an op that is not in the history is noticed', { timeout: TIMEOUT_MS }, async () => {
    const path = await save('intruder.jsonl', generateHistory(8, 40))
    const { url, token } = await start('intruder')
    const intrude = async (): Promise<void> => {
      const replica = await openReplica({
        schema: replaySchema,
        space,
        key: 'unencrypted',
        store: memoryStore(),
        transport: http(url, { token: () => token }),
      })
      replica.mutate((tx) => {
        tx.files.insert({ id: 'x', path: 'intruder', lastCommit: 0, lastAuthor: 0, lines: 1, commits: 1 })
      })
      await replica.sync()
      await replica.close()
    }
    let requests = 0
    const proxy = await startProxy(url, { before: async () => (++requests === 10 ? intrude() : undefined) })
    close.push(proxy.close)
    const { exitCode, stdout, stderr } = await replayThrough(path, proxy.url, token)
    expect(stdout).toContain('intruder: shown, and not in the history')
    expect(stderr).toMatch(/^REPLAY_DISAGREES /m)
    expect(exitCode).toBe(1)
  })
})

describe('what cannot be replayed', () => {
  test.each([
    [
      'a line of another shape',
      ['{"i": 0, "parents": [], "author": 1, "authoredMs": 5, "files": []}', '{"i": 1}'],
      'HISTORY_INVALID line 2:',
    ],
    ['an empty file', [''], 'HISTORY_INVALID'],
  ])('%s', { timeout: TIMEOUT_MS }, async (name, lines, said) => {
    const path = join(folder, `${name.replaceAll(' ', '-')}.jsonl`)
    await writeFile(path, lines.join('\n'))
    const { exitCode, stderr } = await driftlog('replay', path)
    expect(stderr).toContain(said)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(exitCode).toBe(1)
  })

  test('no such file, in one JSON object', { timeout: TIMEOUT_MS }, async () => {
    const { exitCode, stdout } = await driftlog('replay', join(folder, 'nowhere'), '--json')
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'HISTORY_UNREADABLE' } })
    expect(exitCode).toBe(1)
  })

  test('an option that does not exist is a matter of usage', { timeout: TIMEOUT_MS }, async () => {
    const { exitCode, stderr } = await driftlog('replay', 'x', '--fast')
    expect(stderr).toMatch(/^USAGE .*--fast/)
    expect(exitCode).toBe(2)
  })
})

describe('the real history', () => {
  const directory = process.env['HISTORIES_DIR'] ?? join(root, '..', 'shared', 'histories')
  const path = join(directory, 'tigerbeetle.jsonl.gz')
  const isWhole = (process.env['DRIFTLOG_WHOLE_HISTORY'] ?? '') !== ''

  test.skipIf(!existsSync(path))('agrees with its graph (set HISTORIES_DIR)', { timeout: 2 * TIMEOUT_MS }, async () => {
    const part = isWhole ? [] : ['--commits', String(REAL_COMMITS)]
    const { exitCode, stdout, stderr } = await driftlog('replay', path, '--json', ...part)
    expect(stderr).toContain('agrees')
    expect(JSON.parse(stdout)).toMatchObject({ agrees: true, commits: isWhole ? 12_540 : REAL_COMMITS })
    expect(exitCode).toBe(0)
  })
})
