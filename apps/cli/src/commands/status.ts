import process from 'node:process'
import type { Command } from 'commander'
import { PROTOCOL_VERSION } from '@driftlog/core'
import { CliError, failureOf } from '../errors.ts'
import { serverUrl, spaceId } from '../options.ts'
import { formatCount, formatDuration, plural, terminalOutput } from '../output.ts'
import { probeHealth, probeSpace } from '../status/probe.ts'

interface Options {
  readonly token?: string
  readonly space?: string
  readonly json?: true
}

export const addStatus = (program: Command): void => {
  program
    .command('status')
    .summary('ask a server how it is, and what a space holds')
    .description('Asks a server how it is and, with a space and a token, what the space holds.')
    .argument('<url>', 'of the server, such as http://localhost:4000', serverUrl)
    .option('--space <id>', 'look at this space', spaceId)
    .option('--token <token>', 'opens the space; DRIFTLOG_TOKEN in the environment does too')
    .option('--json', 'print one JSON object')
    .action(run)
}

const run = async (url: string, options: Options): Promise<void> => {
  const output = terminalOutput(options.json === true)
  const token = options.token ?? process.env['DRIFTLOG_TOKEN']
  if (options.space !== undefined && token === undefined) {
    throw new CliError('USAGE', '--space needs a token: --token, or DRIFTLOG_TOKEN in the environment')
  }
  const health = await probeHealth(url)
  const space =
    options.space === undefined || token === undefined ? undefined : await probeSpace(url, options.space, token)
  const failing = Object.entries(health.checks).flatMap(([name, isGood]) => (isGood ? [] : [name]))
  output.table([
    ['server', url],
    [
      'health',
      health.isReady ? `ready, answered in ${formatDuration(health.answeredMs)}` : `not ready: ${failing.join(', ')}`,
    ],
    [
      'protocol',
      `${health.protocol}${health.protocol === PROTOCOL_VERSION ? '' : `, and this command speaks ${PROTOCOL_VERSION}`}`,
    ],
    ['connections', formatCount(health.connections)],
    ...(space === undefined
      ? []
      : [
          ['space', `${options.space}, as ${space.role}`] as const,
          ['holds', `${plural(space.ops, 'op')} of ${plural(space.devices, 'device')}`] as const,
          [
            'clock',
            `${formatDuration(Math.abs(space.clockAheadMs))} ${space.clockAheadMs < 0 ? 'behind' : 'ahead of'} this one`,
          ] as const,
        ]),
  ])
  output.result({ url, ...health, ...(space === undefined ? {} : { space: { id: options.space, ...space } }) })
  if (health.isReady) return
  const failure = failureOf(
    new CliError('UNAVAILABLE', `the server is not ready: ${failing.join(', ') || 'it is stopping'}`),
  )
  output.failure(failure)
  process.exitCode = failure.exitCode
}
