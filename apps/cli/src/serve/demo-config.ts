import { mintToken } from '@driftlog/server'
import type { WebHandler } from './server.ts'

/** Who is the first to open it in a browser makes its key and puts something in it: a server cannot. */
export const DEMO_SPACE = 'demo'

/** How long a browser may go on with the token of one visit. It asks for a fresh one at every connection. */
const TOKEN_SECONDS = 7 * 86_400
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/**
 * `/config.json`: what the web app needs to open the demo space, with a token that is fresh at every request.
 *
 * @param onlyLoopback answers only requests for a loopback name. Otherwise a web page could point a name of its own at
 *   this machine (DNS rebinding) and read the token.
 */
export const demoConfig =
  (secret: string, space: string, onlyLoopback: boolean): WebHandler =>
  async (request) => {
    const { pathname, hostname } = new URL(request.url)
    if (request.method !== 'GET' || pathname !== '/config.json') return undefined
    if (onlyLoopback && !LOOPBACK.test(hostname)) return undefined
    const token = await mintToken({
      secret,
      subject: 'demo',
      spaces: { [space]: 'writer' },
      expiresInSeconds: TOKEN_SECONDS,
      nowMs: Date.now(),
    })
    // Relative to whatever address the browser reached this server by.
    return Response.json({ space, url: '/', token }, { headers: { 'cache-control': 'no-store' } })
  }

export const isLoopback = (host: string): boolean => LOOPBACK.test(host) || host === '::1'
