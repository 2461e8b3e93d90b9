import process from 'node:process'
import type { Command } from 'commander'
import { mintToken } from '@driftlog/server'
import { CliError } from '../errors.ts'
import { collect, durationSeconds, type Role, roleName, spaceId } from '../options.ts'
import { terminalOutput } from '../output.ts'
import { checkSecret } from '../serve/secret.ts'

interface Options {
  readonly secret?: string
  readonly space: readonly string[]
  readonly role: Role
  readonly subject: string
  readonly expires: number
  readonly json?: true
}

export const addToken = (program: Command): void => {
  program
    .command('token')
    .summary('make a token for one or more spaces')
    .description('Makes a token that a server with the same secret accepts, and prints it.')
    .option(
      '--secret <secret>',
      'the secret of the server; DRIFTLOG_SECRET in the environment keeps it out of the process list',
    )
    .requiredOption('--space <id>', 'a space that the token opens; may stand several times', collect(spaceId))
    .option('--role <role>', 'reader, writer or admin', roleName, 'writer')
    .requiredOption('--subject <name>', 'whom the token is for, as it shows in the logs of the server')
    .option(
      '--expires <duration>',
      'how long it is good: 90s, 15m, 12h, 30d, 2w',
      durationSeconds,
      durationSeconds('30d'),
    )
    .option('--json', 'print one JSON object')
    .action(async (options: Options) => {
      const output = terminalOutput(options.json === true)
      const secret = options.secret ?? process.env['DRIFTLOG_SECRET']
      if (secret === undefined) {
        throw new CliError(
          'USAGE',
          'the secret of the server is needed: --secret, or DRIFTLOG_SECRET in the environment',
        )
      }
      const { space, role, subject, expires } = options
      const nowMs = Date.now()
      const spaces = Object.fromEntries(space.map((id) => [id, role]))
      const token = await mintToken({ secret: checkSecret(secret), subject, spaces, expiresInSeconds: expires, nowMs })
      if (options.json !== true) output.line(token)
      output.result({ token, subject, spaces, expiresAt: new Date(nowMs + expires * 1_000).toISOString() })
    })
}
