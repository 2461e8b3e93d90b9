// Gate: what the documentation shows is true. Every ```ts (or ```tsx) block of README.md, docs/ and packages/*/README.md is compiled
// as a module of its own against the built packages; a block whose fence says ```ts run is executed too and must exit with 0.
// Blocks are written below test/, so that their imports resolve as those of an app; they keep their line, so that errors point into the page.
import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const RUN_LIMIT_MS = 60_000

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const pages = globSync(['README.md', 'docs/**/*.md', 'packages/*/README.md'], {
  cwd: root,
  exclude: ['**/node_modules/**'],
})
  .map((page) => page.replaceAll('\\', '/'))
  .sort()

/** The blocks of a page: `{ page, line, language, mode, code }`, `line` being that of the first line of code, from 1. */
function blocksOf(page) {
  const lines = readFileSync(join(root, page), 'utf8').split(/\r?\n/)
  const blocks = []
  for (let index = 0; index < lines.length; index++) {
    const fence = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)\s*(.*)$/.exec(lines[index])
    if (!fence) continue
    const [, indent, marks, language, info] = fence
    const start = index + 1
    const isEnd = (line) => line.trim().startsWith(marks) && line.trim().replaceAll(marks[0], '') === ''
    for (index++; index < lines.length && !isEnd(lines[index]); ) index++
    if (index === lines.length) throw new Error(`${page}:${start}: this fence is never closed`)
    if (!['ts', 'tsx', 'typescript'].includes(language)) continue
    if (!['', 'run', 'check'].includes(info.trim()))
      throw new Error(`${page}:${start}: expected \`run\`, \`check\` or nothing, found "${info}"`)
    const code = lines.slice(start, index).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    blocks.push({
      page,
      line: start + 1,
      language: language === 'tsx' ? 'tsx' : 'ts',
      mode: info.trim() || 'check',
      code,
    })
  }
  return blocks
}

function execute(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_LIMIT_MS,
      killSignal: 'SIGKILL',
      ...options,
    })
    const said = []
    child.stdout.on('data', (chunk) => said.push(chunk))
    child.stderr.on('data', (chunk) => said.push(chunk))
    child.on('error', (error) => said.push(Buffer.from(String(error))))
    child.on('close', (code, signal) => {
      const why = signal ? `\nended by ${signal}; a block has ${RUN_LIMIT_MS / 1000} s` : ''
      done({ ok: code === 0, output: Buffer.concat(said).toString() + why })
    })
  })
}

/** Compiles and runs the blocks in `folder`; yields what is wrong with them. */
async function failuresOf(blocks, folder) {
  for (const block of blocks) {
    block.file = `${block.page.replaceAll('/', '.')}.${block.line}.${block.language}`
    writeFileSync(join(folder, block.file), '\n'.repeat(block.line - 1) + block.code.join('\n') + '\n')
  }
  const compilerOptions = {
    composite: false,
    noEmit: true,
    tsBuildInfoFile: null,
    declarationMap: false,
    moduleDetection: 'force',
    noUnusedLocals: false,
    noUnusedParameters: false,
    lib: ['es2024', 'dom', 'dom.iterable'],
    jsx: 'react-jsx',
    types: ['node'],
  }
  const files = blocks.map((block) => block.file)
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.base.json', compilerOptions, files }),
  )
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))

  const compiled = await execute(
    process.execPath,
    [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', '--pretty', 'false'],
    { cwd: folder },
  )
  const failures = compiled.ok ? [] : [pointIntoPages(compiled.output, blocks)]
  for (const block of blocks.filter(({ mode }) => mode === 'run')) {
    const ran = await execute(process.execPath, ['--disable-warning=ExperimentalWarning', block.file], { cwd: folder })
    if (!ran.ok)
      failures.push(
        `${block.page}:${block.line}: this block fails when it is run\n${pointIntoPages(ran.output, blocks)}`,
      )
  }
  return failures
}

function pointIntoPages(text, blocks) {
  return blocks.reduce((result, block) => result.replaceAll(block.file, block.page), text).trimEnd()
}

const blocks = pages.flatMap(blocksOf)
if (blocks.length === 0) {
  const promised = existsSync(join(root, 'README.md'))
  console.log(promised ? 'found no ```ts block, although there is a README' : 'no README yet, no blocks')
  process.exit(promised ? 1 : 0)
}
mkdirSync(join(root, 'test'), { recursive: true })
const folder = mkdtempSync(join(root, 'test', '.docs-'))
try {
  const failures = await failuresOf(blocks, folder)
  for (const failure of failures) console.error(`${failure}\n`)
  console.log(
    `${blocks.length} blocks compiled, ${blocks.filter(({ mode }) => mode === 'run').length} run, ${failures.length} failures`,
  )
  process.exitCode = failures.length ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
