/** The web app as it is shipped; built again where a source is newer, so that a test never runs yesterday's app. */
import { execFile } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const app = join(root, 'apps/web')

export const ensureBuiltApp = async (): Promise<void> => {
  const built = statSync(join(app, 'dist/service-worker.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const isStale = globSync('{apps/web,packages/{core,client,react,store-indexeddb}}/{src/**/*,*.{ts,html}}', {
    cwd: root,
  })
    .filter((path) => !/\.test\.tsx?$/.test(path))
    .some((path) => statSync(join(root, path)).mtimeMs > built)
  if (!isStale) return
  // In a process of its own: this one says NODE_ENV=test, and React would be built for development.
  const env = { ...process.env, NODE_ENV: 'production' }
  await promisify(execFile)(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], { cwd: app, env })
}
