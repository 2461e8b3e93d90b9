import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { CliError } from '../errors.ts'
import { collect, portNumber } from '../options.ts'
import { type Output, terminalOutput } from '../output.ts'
import { DEMO_SPACE, demoConfig, isLoopback } from '../serve/demo-config.ts'
import { checkSecret, keptSecret, secretFileOf } from '../serve/secret.ts'
import { type RunningServer, startServer, type WebHandler } from '../serve/server.ts'
import { hasWebApp, webFiles } from '../serve/web-files.ts'

interface Options {
  readonly db: string
  readonly port: number
  readonly host: string
  readonly secret?: string
  readonly web?: string
  readonly demo?: true
  readonly origin?: readonly string[]
}

export const addServe = (program: Command): void => {
  program
    .command('serve')
    .summary('serve spaces from an SQLite file, and the web app where it is built')
    .description('Serves spaces from an SQLite file, and the web app where it is built.')
    .option('--db <file>', 'where everything is kept', 'driftlog.db')
    .option('--port <port>', 'the port to listen on', portNumber, 4000)
    .option('--host <host>', 'the address to listen on; 0.0.0.0 for every network of this machine', '127.0.0.1')
    .option(
      '--secret <secret>',
      'signs tokens; DRIFTLOG_SECRET in the environment does too; else one is made and kept beside the database',
    )
    .option('--web <directory>', 'a built web app; by default that of this project')
    .option('--demo', `with a space to try, "${DEMO_SPACE}", that everyone who reaches the server may connect to`)
    .option(
      '--origin <origin>',
      'a further origin that browsers may connect from; may stand several times',
      collect(String),
    )
    .action((options: Options) => run(options, terminalOutput(false)))
}

const run = async (options: Options, output: Output): Promise<void> => {
  const database = resolve(options.db)
  await mkdir(dirname(database), { recursive: true }).catch((error: unknown) => {
    throw new CliError('DATA_UNUSABLE', `${dirname(database)}: ${String(error)}`, { cause: error })
  })
  const given = options.secret ?? process.env['DRIFTLOG_SECRET']
  const secret = given === undefined ? await keptSecret(secretFileOf(database)) : checkSecret(given)
  const web = await webApp(options.web)
  const isDemo = options.demo === true
  const handlers: WebHandler[] = [
    ...(isDemo ? [demoConfig(secret, DEMO_SPACE, isLoopback(options.host))] : []),
    ...(web === undefined ? [] : [webFiles(web)]),
  ]
  const { host, port, origin } = options
  const server = await startServer({ database, host, port, secret, origins: origin, handlers, logger: output.logger })
  const stopped = untilSignal()
  announce(output, server, {
    database,
    secretFile: given === undefined ? secretFileOf(database) : undefined,
    web,
    isDemo,
  })
  await stopped
  output.line('Stopping …')
  await server.close()
  output.line(`Stopped. Everything is in ${database}.`)
}

/** The directory of the app to serve. Throws USAGE where one was named and is none. */
const webApp = async (named: string | undefined): Promise<string | undefined> => {
  if (named !== undefined) {
    if (await hasWebApp(named)) return resolve(named)
    throw new CliError('USAGE', `${named} holds no index.html: not a built web app`)
  }
  // The same distance from the sources and from what is built of them.
  const own = fileURLToPath(new URL('../../../web/dist', import.meta.url))
  return (await hasWebApp(own)) ? own : undefined
}

const announce = (
  output: Output,
  server: RunningServer,
  shown: { database: string; secretFile: string | undefined; web: string | undefined; isDemo: boolean },
): void => {
  output.line()
  if (shown.web !== undefined) output.line(`  Open ${server.url}`)
  else output.line(`  Serving at ${server.url} (no web app: it is not built)`)
  output.line()
  output.table([
    ['data', shown.database],
    ...(shown.secretFile === undefined ? [] : [['secret', shown.secretFile] as const]),
    ...(shown.isDemo
      ? [
          [
            'demo',
            `space "${DEMO_SPACE}": whoever reaches this address may connect; what is in it opens with its key alone`,
          ] as const,
        ]
      : []),
    ['stop', 'Ctrl+C'],
  ])
  output.line()
}

const untilSignal = (): Promise<void> =>
  new Promise((done) => {
    // Twice: whoever presses again does not want to wait.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
