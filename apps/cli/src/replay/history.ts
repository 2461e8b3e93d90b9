/**
 * Reads a history: one JSON object a line, parents before children, plain or gzipped.
 *
 *     {"i": 7, "parents": [5, 6], "author": 3, "authoredMs": 1586448918000, "files": [["src/a.ts", 12, 3]]}
 *
 * `i` is any whole number that no other line has; `author` a whole number; `files` holds [path, lines added, lines
 * removed]. Further keys are ignored. Everything is checked here, so that what comes after may rely on it.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CliError, systemCode } from '../errors.ts'

export interface FileChange {
  readonly path: string
  readonly added: number
  readonly removed: number
}

export interface Commit {
  /** As the file names it. */
  readonly name: number
  /** Positions in `History.commits`, each below the commit's own, none twice. */
  readonly parents: readonly number[]
  readonly author: number
  /** Milliseconds since the Unix epoch by the author's clock, which may have been wrong. */
  readonly authoredMs: number
  /** One entry a path. */
  readonly files: readonly FileChange[]
}

export interface History {
  readonly commits: readonly Commit[]
}

/** The end of the stamps' range: 41 bits of milliseconds from 2020 on, less room for counters. */
const MAX_AUTHORED_MS = Date.UTC(2089, 0, 1)
const MAX_PATH_LENGTH = 4_096
const MAX_LINE_LENGTH = 16 * 1024 * 1024
/** Of one change, so that the sums of any history stay exact. */
const MAX_CHANGED_LINES = 2 ** 32

export interface ReadLimits {
  /** Only so many commits from the start: a history of its own, as parents come first. */
  readonly commits?: number
}

/** Throws HISTORY_UNREADABLE, or HISTORY_INVALID naming the line. */
export const readHistory = async (path: string, limits: ReadLimits = {}): Promise<History> => {
  let source: Readable | undefined
  try {
    const isPacked = await isGzip(path)
    source = createReadStream(path)
    const plain = isPacked ? unpacked(source) : source
    const lines = createInterface({ input: plain, crlfDelay: Infinity })
    // The interface itself does not see the errors of what it reads.
    const failed = new Promise<never>((_, reject) => plain.once('error', reject))
    failed.catch(() => {})
    return await Promise.race([parseHistory(lines, limits), failed])
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError('HISTORY_UNREADABLE', `${path}: ${reasonOf(error)}`, { cause: error })
  } finally {
    source?.destroy()
  }
}

const unpacked = (source: Readable): Readable => {
  const gunzip = createGunzip()
  source.once('error', (error) => gunzip.destroy(error))
  return source.pipe(gunzip)
}

/** By content, not by name: a download may have lost its ending. */
const isGzip = async (path: string): Promise<boolean> => {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}

const reasonOf = (error: unknown): string => {
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'this is a directory, not a file'
    case 'EACCES':
      return 'permission denied'
    case 'Z_BUF_ERROR':
      return 'the gzip data ends too early; is the download complete?'
    case 'Z_DATA_ERROR':
      return 'the gzip data is damaged'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

/** The lines of a history, in order. Throws HISTORY_INVALID. */
export const parseHistory = async (
  lines: AsyncIterable<string> | Iterable<string>,
  limits: ReadLimits = {},
): Promise<History> => {
  const commits: Commit[] = []
  const positions = new Map<number, number>()
  const most = limits.commits ?? Infinity
  let lineNumber = 0
  for await (const line of lines) {
    lineNumber++
    if (line.trim() === '') continue
    if (commits.length >= most) break
    const commit = parseLine(line, lineNumber, positions)
    positions.set(commit.name, commits.length)
    commits.push(commit)
  }
  if (commits.length === 0) throw new CliError('HISTORY_INVALID', 'the history holds no commit')
  return { commits }
}

const parseLine = (line: string, lineNumber: number, positions: ReadonlyMap<number, number>): Commit => {
  const invalid = (why: string): CliError => new CliError('HISTORY_INVALID', `line ${lineNumber}: ${why}`)
  if (line.length > MAX_LINE_LENGTH) throw invalid(`longer than ${MAX_LINE_LENGTH} characters`)
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw invalid('not JSON')
  }
  if (!isRecord(value)) throw invalid('not a JSON object')

  const { i: name, author, authoredMs } = value
  if (!isWhole(name)) throw invalid('`i` is not a whole number')
  if (positions.has(name)) throw invalid(`\`i\` is ${name}, as on an earlier line`)
  if (!isWhole(author)) throw invalid('`author` is not a whole number')
  if (!isWhole(authoredMs)) throw invalid('`authoredMs` is not a whole number of milliseconds')
  if (authoredMs >= MAX_AUTHORED_MS) throw invalid('`authoredMs` is past 2088, beyond the range of stamps')

  if (!Array.isArray(value.parents)) throw invalid('`parents` is not a list')
  const parents = new Set<number>()
  for (const parent of value.parents as unknown[]) {
    const position = isWhole(parent) ? positions.get(parent) : undefined
    if (position === undefined) throw invalid(`parent ${JSON.stringify(parent)} is not on an earlier line`)
    parents.add(position)
  }

  if (!Array.isArray(value.files)) throw invalid('`files` is not a list')
  const files = new Map<string, FileChange>()
  for (const entry of value.files as unknown[]) {
    if (!Array.isArray(entry) || entry.length !== 3) throw invalid('a file is not [path, added, removed]')
    const [path, added, removed] = entry as unknown[]
    if (typeof path !== 'string' || path === '' || path.length > MAX_PATH_LENGTH || !path.isWellFormed()) {
      throw invalid(`a path is not text of 1 to ${MAX_PATH_LENGTH} characters`)
    }
    if (!isLineCount(added) || !isLineCount(removed)) {
      throw invalid(`the line counts of ${JSON.stringify(path)} are not whole numbers up to ${MAX_CHANGED_LINES}`)
    }
    // A path that is listed twice is one change of one row.
    const before = files.get(path)
    files.set(path, { path, added: (before?.added ?? 0) + added, removed: (before?.removed ?? 0) + removed })
  }
  return { name, parents: [...parents], author, authoredMs, files: [...files.values()] }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isLineCount = (value: unknown): value is number => isWhole(value) && value <= MAX_CHANGED_LINES

const isWhole = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
