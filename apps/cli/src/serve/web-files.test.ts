import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasWebApp, webFiles } from './web-files.ts'

let folder = ''
let serve: ReturnType<typeof webFiles>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'driftlog-web-'))
  await mkdir(join(folder, 'dist', 'assets'), { recursive: true })
  await writeFile(join(folder, 'secret'), 'outside')
  await writeFile(join(folder, 'dist', 'index.html'), '<p>app</p>')
  await writeFile(join(folder, 'dist', 'service-worker.js'), '1')
  await writeFile(join(folder, 'dist', 'assets', 'index-DiwrgTda.js'), '2')
  await writeFile(join(folder, 'dist', 'assets', 'sql-Ab_12-xy.wasm'), '3')
  serve = webFiles(join(folder, 'dist'))
})
afterAll(() => rm(folder, { recursive: true }))

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  serve(new Request(`http://localhost${path}`, { headers, method }))
const navigate = { accept: 'text/html,*/*' }

test.each([
  ['/', 'text/html; charset=utf-8', 'no-cache'],
  ['/service-worker.js', 'text/javascript; charset=utf-8', 'no-cache'],
  ['/assets/index-DiwrgTda.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
  ['/assets/sql-Ab_12-xy.wasm', 'application/wasm', 'public, max-age=31536000, immutable'],
])('%s', async (path, type, caching) => {
  const response = await get(path)
  expect(response?.headers.get('content-type')).toBe(type)
  expect(response?.headers.get('cache-control')).toBe(caching)
  expect(response?.headers.get('content-security-policy')).toContain("'wasm-unsafe-eval'")
  expect(response?.headers.get('x-content-type-options')).toBe('nosniff')
})

test('the app’s own addresses lead to its index; a missing asset is missing', async () => {
  expect(await (await get('/list/42', navigate))?.text()).toBe('<p>app</p>')
  expect(await get('/assets/gone-DiwrgTda.js', navigate)).toBeUndefined()
  expect(await get('/list/42')).toBeUndefined()
  expect(await get('/', {}, 'POST')).toBeUndefined()
})

test.each(['/%2e%2e/secret', '/..%2fsecret', '/assets/..%2f..%2fsecret', '/%', '/a%00b'])(
  '%s leads nowhere',
  async (path) => {
    expect(await get(path)).toBeUndefined()
  },
)

test('what has not changed is not sent again', async () => {
  const etag = (await get('/'))?.headers.get('etag') ?? ''
  expect((await get('/', { 'if-none-match': etag }))?.status).toBe(304)
  const head = await get('/', {}, 'HEAD')
  expect([head?.headers.get('content-length'), await head?.text()]).toEqual(['10', ''])
})

test('hasWebApp', async () => {
  expect(await hasWebApp(join(folder, 'dist'))).toBe(true)
  expect(await hasWebApp(folder)).toBe(false)
})
