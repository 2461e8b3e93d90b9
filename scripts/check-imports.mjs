// Gate: imports point one way (design: apps → react → client → core; server, store-* → core; testkit → all of them).
// It fails too when it did not look: every source file on disk, and every relative import in it, must be among what it saw.
import { globSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { cruise } from 'dependency-cruiser'

// ---- The rules: edit here. -------------------------------------------------------------------------------------------

/** Room → the rooms its sources may import. A room that is not listed may import nothing of ours. */
const rooms = {
  'packages/core': [],
  'packages/client': ['packages/core'],
  'packages/server': ['packages/core'],
  'packages/store-indexeddb': ['packages/core'],
  'packages/store-sqlite': ['packages/core'],
  'packages/react': ['packages/client', 'packages/core'],
  'packages/testkit': ['packages/(?!testkit|react)[^/]+'],
  'apps/web': ['packages/(core|client|react|store-indexeddb)'],
  'apps/cli': ['packages/(?!react|store-indexeddb)[^/]+'],
}

/** Folders of core from the ground up: a folder may import those on its own line and on the lines above. */
const coreLayers = [
  ['errors', 'ports'],
  ['codec'],
  ['clock'],
  ['op'],
  ['crypto'],
  ['membership'],
  ['log'],
  ['cells', 'laws'],
  ['schema'],
  ['projection'],
  ['snapshot'],
  ['base'],
  ['pruning'],
  ['protocol'],
]

/** Rooms that run in a browser: no module of Node. */
const browserRooms = ['packages/core', 'packages/client', 'packages/react', 'packages/store-indexeddb', 'apps/web']

// ---- The check. -------------------------------------------------------------------------------------------------------

const test = '\\.test(-support)?\\.tsx?$'
const layerPath = (names) => `^packages/core/src/(${names.join('|')})(/|\\.ts$)`

const forbidden = [
  ...Object.entries(rooms).map(([room, allowed]) => ({
    name: `${room.replace('/', '-')}-imports-only-${allowed.length ? 'what-its-room-may' : 'itself'}`,
    from: { path: `^${room}/`, pathNot: test },
    to: { path: '^(packages|apps|test|bench)/', pathNot: [room, ...allowed].map((path) => `^${path}/`) },
  })),
  ...coreLayers.slice(0, -1).map((names, depth) => ({
    name: `core-${names.join('-')}-imports-no-higher-layer`,
    from: { path: layerPath(names), pathNot: test },
    to: { path: layerPath(coreLayers.slice(depth + 1).flat()) },
  })),
  {
    name: 'core-folder-has-a-layer',
    comment: 'Give the folder a place in coreLayers.',
    from: { path: '^packages/core/src/', pathNot: [layerPath(coreLayers.flat()), test, '/mod\\.ts$'] },
    to: { path: '^packages/core/src/' },
  },
  {
    name: 'core-imports-no-catalogue',
    comment: 'mod.ts is for users of core; inside, import the file.',
    from: { path: '^packages/core/src/', pathNot: test },
    to: { path: '^packages/core/src/mod\\.ts$' },
  },
  {
    name: 'runs-in-a-browser',
    from: { path: browserRooms.map((room) => `^${room}/src/`), pathNot: test },
    to: { dependencyTypes: ['core'] },
  },
  { name: 'source-imports-no-test', from: { pathNot: test }, to: { path: test } },
  { name: 'resolves', from: { path: '^(packages|apps)/' }, to: { couldNotResolve: true, pathNot: '^virtual:|\\?' } },
].map((rule) => ({ severity: 'error', ...rule }))

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)
const onDisk = globSync('{packages,apps}/*/src/**/*.{ts,tsx}').map((path) => path.replaceAll('\\', '/'))

const { output } = await cruise(
  onDisk,
  {
    ruleSet: { forbidden },
    validate: true,
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true, // type-only imports count as imports
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['driftlog-source', 'types', 'import', 'node', 'default'],
    },
  },
  { extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'] },
)

// What the tool should have seen, read in the simplest other way: without TypeScript 6 it passes, having missed modules and type imports.
const seen = new Map(
  output.modules.map(({ source, dependencies }) => [source, dependencies.map(({ module }) => module)]),
)
const missed = onDisk.flatMap((path) => {
  if (!seen.has(path)) return [path]
  const written = readFileSync(path, 'utf8').matchAll(/^(?:import|export)\b[^'"`;]*?['"](\.{1,2}\/[^'"]+)['"]/gm)
  return [...written].filter(([, name]) => !seen.get(path).includes(name)).map(([, name]) => `${path} → ${name}`)
})

const { violations } = output.summary
for (const { rule, from, to } of violations) console.error(`${rule.name}: ${from} → ${to}`)
for (const path of missed) console.error(`not looked at: ${path}`)
console.log(`${onDisk.length} files, ${violations.length} violations, ${missed.length} not looked at`)
if (violations.length || missed.length || onDisk.length === 0) process.exitCode = 1
