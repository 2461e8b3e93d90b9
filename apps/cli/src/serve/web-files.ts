/**
 * The built web app, from a directory. Hashed assets are cached for ever; everything whose name stays (index, service
 * worker, manifest, icons) is asked for again each time, so that an update arrives with the next visit.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname, join, resolve, sep } from 'node:path'
import { Readable } from 'node:stream'

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}

/**
 * sql.js and libsodium are WebAssembly; the app may sync with a server on another host. Styles: React sets style
 * attributes.
 */
const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self' http: https: ws: wss:",
    "img-src 'self' data: blob:",
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** What vite puts a hash of the content into: `index-DiwrgTda.js`. */
const HASHED = /^assets\/.*-[\w-]{8}\.\w+$/

/** Answers GET and HEAD from `directory`; `undefined` for what is no file of the app. */
export const webFiles = (directory: string): ((request: Request) => Promise<Response | undefined>) => {
  const root = resolve(directory)
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
    const path = relativePath(new URL(request.url).pathname)
    if (path === undefined) return undefined
    const file =
      (await fileAt(root, path)) ?? (isNavigation(request, path) ? await fileAt(root, 'index.html') : undefined)
    if (file === undefined) return undefined
    const etag = `W/"${file.size.toString(36)}-${Math.trunc(file.modifiedMs).toString(36)}"`
    const headers = new Headers({
      ...securityHeaders,
      'cache-control': HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-type': contentTypes[extname(file.path)] ?? 'application/octet-stream',
      etag,
    })
    if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
    headers.set('content-length', String(file.size))
    if (request.method === 'HEAD') return new Response(null, { headers })
    return new Response(Readable.toWeb(createReadStream(file.path)) as ReadableStream<Uint8Array>, { headers })
  }
}

/** Whether there is an app to serve at all. */
export const hasWebApp = async (directory: string): Promise<boolean> =>
  (await fileAt(resolve(directory), 'index.html')) !== undefined

/** Without a leading slash. undefined where it does not decode. */
const relativePath = (pathname: string): string | undefined => {
  try {
    const path = decodeURIComponent(pathname).slice(1)
    return path.includes('\0') ? undefined : path === '' ? 'index.html' : path
  } catch {
    return undefined
  }
}

interface FoundFile {
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

const fileAt = async (root: string, relative: string): Promise<FoundFile | undefined> => {
  const path = join(root, relative)
  // Encoded dots and backslashes must not lead out of the directory.
  if (!path.startsWith(root + sep)) return undefined
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() === true ? { path, size: found.size, modifiedMs: found.mtimeMs } : undefined
}

/** An address that the app's own router knows; a missing asset stays missing. */
const isNavigation = (request: Request, path: string): boolean =>
  extname(path) === '' && (request.headers.get('accept') ?? '').includes('text/html')
