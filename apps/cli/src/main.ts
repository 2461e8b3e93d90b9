#!/usr/bin/env node
import process from 'node:process'
import { Command, CommanderError } from 'commander'
import { addReplay } from './commands/replay.ts'
import { addServe } from './commands/serve.ts'
import { addSimulate } from './commands/simulate.ts'
import { addStatus } from './commands/status.ts'
import { addToken } from './commands/token.ts'
import { type Failure, failureOf } from './errors.ts'
import { terminalOutput } from './output.ts'

const program = new Command('driftlog')
  .description(
    'Local-first sync: serve spaces, look at them, replay real histories through them, and simulate what goes wrong.',
  )
  .version('0.1.0', '-v, --version')
  .showSuggestionAfterError()
  // Commander's own complaints come out of the catch below, in the form of every other failure.
  .configureOutput({ outputError: () => {} })
  .exitOverride()

/** 0 where help or the version was asked for, 2 for what cannot be understood. */
const usageFailure = ({ message, exitCode }: CommanderError): Failure => ({
  code: 'USAGE',
  message: `${message.replace(/^error: /, '')}. See: driftlog --help`,
  exitCode: exitCode === 0 ? 0 : 2,
})

addServe(program)
addStatus(program)
addToken(program)
addReplay(program)
addSimulate(program)

try {
  await program.parseAsync()
} catch (error) {
  // Help and version have said it all.
  const isAnswered = error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help')
  const failure = error instanceof CommanderError ? usageFailure(error) : failureOf(error)
  if (!isAnswered) terminalOutput(process.argv.includes('--json')).failure(failure)
  process.exitCode = failure.exitCode
}
