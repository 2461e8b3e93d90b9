/**
 * Loads Driftlog's sources with a bug in them, beside the sound ones: every module of the workspace that is imported from a
 * URL with `?planted=<name>` gets that mark too, so each bug has a module graph of its own and no file is ever written.
 * Needs the condition `driftlog-source`, which leads every package of the workspace to its sources.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type * as Simulator from '@driftlog/testkit/simulator'
import type { PlantedBug } from './bug.ts'

const MARK = 'planted'
const root = new URL('../../../', import.meta.url)

const planted = new Map<string, PlantedBug>()
/** Stripping types is most of what loading costs, and only one file of each graph differs. */
const stripped = new Map<string, string>()

const markOf = (url: string | undefined): string | null =>
  url?.startsWith('file:') === true ? new URL(url).searchParams.get(MARK) : null

export const installHooks = (): void => {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      const mark = markOf(context.parentURL) ?? markOf(resolved.url)
      const isOurs = resolved.url.startsWith(root.href) && !resolved.url.includes('/node_modules/')
      if (mark === null || !isOurs || markOf(resolved.url) !== null) return resolved
      return { ...resolved, url: `${resolved.url}?${MARK}=${encodeURIComponent(mark)}` }
    },
    load(url, context, nextLoad) {
      const mark = markOf(url)
      if (mark === null) return nextLoad(url, context)
      const path = fileURLToPath(url)
      const bug = planted.get(mark)
      if (bug !== undefined && path === fileURLToPath(new URL(bug.file, root))) {
        return { format: 'module', source: stripTypeScriptTypes(withBug(bug)), shortCircuit: true }
      }
      const source = stripped.get(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'))
      stripped.set(path, source)
      return { format: 'module', source, shortCircuit: true }
    },
  })
}

/** How often what a bug replaces stands in its file. Unless that is once, the bug must be planted anew. */
export const occurrences = ({ file, find }: PlantedBug): number =>
  readFileSync(new URL(file, root), 'utf8').split(find).length - 1

const withBug = ({ file, find, replace }: PlantedBug): string =>
  readFileSync(new URL(file, root), 'utf8').replace(find, () => replace)

/** The simulator, and under it everything, with the bug; the sound one where there is none. */
export const simulatorWith = async (bug: PlantedBug | undefined): Promise<typeof Simulator> => {
  const mark = bug?.name ?? 'nothing'
  if (bug !== undefined) planted.set(mark, bug)
  const entry = pathToFileURL(fileURLToPath(import.meta.resolve('@driftlog/testkit/simulator')))
  return import(`${entry.href}?${MARK}=${encodeURIComponent(mark)}`)
}
