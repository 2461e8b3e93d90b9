import { availableParallelism } from 'node:os'
import process from 'node:process'
import type { Command } from 'commander'
import { CliError, failureOf } from '../errors.ts'
import { serverUrl, spaceId, wholeNumber } from '../options.ts'
import { formatCount, plural, terminalOutput } from '../output.ts'
import { readHistory } from '../replay/history.ts'
import { reportOf, tableOf } from '../replay/report.ts'
import { type Remote, replayHistory } from '../replay/run.ts'
import { probeHealth, probeSpace } from '../status/probe.ts'

/** More threads than this wait for each other. */
const MOST_THREADS = 8

interface Options {
  readonly commits?: number
  readonly threads: number
  readonly server?: string
  readonly token?: string
  readonly space?: string
  readonly keep?: true
  readonly json?: true
}

export const addReplay = (program: Command): void => {
  program
    .command('replay')
    .summary('replay a commit history as devices that work offline and merge, and check the outcome')
    .description(
      "Replays a commit history through a real server: authors' branches are devices, commits are mutations, merges are " +
        'syncs. Then compares every device with what the commit graph says must come out.',
    )
    .argument(
      '<history>',
      'a .jsonl file, gzipped or not: {i, parents, author, authoredMs, files: [[path, added, removed]]} a line',
    )
    .option('--commits <count>', 'only the first commits of the history', wholeNumber('a count of commits', 1))
    .option(
      '--threads <count>',
      'spread the devices over so many threads',
      wholeNumber('a count of threads', 1),
      defaultThreads(),
    )
    .option('--server <url>', 'replay through this server instead of one of its own', serverUrl)
    .option('--token <token>', 'with --server: a writer’s token for the space')
    .option('--space <id>', 'with --server: a space that holds nothing yet', spaceId)
    .option('--keep', 'leave the database of the own server where it is')
    .option('--json', 'print one JSON object at the end')
    .action(async (history: string, options: Options) => {
      await run(history, options)
    })
}

const defaultThreads = (): number => Math.min(availableParallelism(), MOST_THREADS)

const run = async (path: string, options: Options): Promise<void> => {
  const output = terminalOutput(options.json === true)
  const remote = remoteOf(options)
  if (remote !== undefined) await expectEmpty(remote)
  const history = await readHistory(path, { commits: options.commits })
  const result = await replayHistory({
    history,
    threads: options.threads,
    remote,
    keep: options.keep === true,
    startProgress: (total) => output.progress(total, `${formatCount(history.commits.length)} commits`),
  })
  const report = reportOf(history, result)
  output.table(tableOf(report))
  output.result(report)
  if (report.agrees) return
  const failure = failureOf(new CliError('REPLAY_DISAGREES', report.differences[0]))
  output.failure(failure)
  process.exitCode = failure.exitCode
}

/** What is there already would be part of the outcome. */
const expectEmpty = async ({ url, space, token }: Remote): Promise<void> => {
  await probeHealth(url)
  const { ops } = await probeSpace(url, space, token)
  if (ops > 0) {
    throw new CliError(
      'SPACE_NOT_EMPTY',
      `${space} holds ${plural(ops, 'op')} already; name a space that was never used`,
    )
  }
}

const remoteOf = ({ server, token, space, keep }: Options): Remote | undefined => {
  if (server === undefined) {
    if (token !== undefined || space !== undefined) throw new CliError('USAGE', '--token and --space go with --server')
    return undefined
  }
  if (token === undefined || space === undefined) {
    throw new CliError(
      'USAGE',
      '--server needs --space, one that holds nothing yet, and --token, a writer’s for that space',
    )
  }
  if (keep === true) throw new CliError('USAGE', '--keep is for the own server; what another server stores stays there')
  return { url: server, token, space }
}
