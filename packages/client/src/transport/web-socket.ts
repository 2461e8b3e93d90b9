import { decodeServerFrame, DriftlogError, encodeFrame, type ServerMessage } from '@driftlog/core'
import { tokenOf } from './token.ts'
import type { Connection, TokenSource, Transport, TransportEvents } from './transport.ts'
import { failureOf, spaceUrl } from './url.ts'

export interface WebSocketOptions {
  /** Asked at every connection; it travels in the first message, never in the URL. Leave it out where the server asks for none. */
  readonly token?: TokenSource
  /** Another WebSocket implementation; the platform's own by default. */
  readonly WebSocket?: typeof WebSocket
}

/**
 * A live connection to a Driftlog server over one WebSocket.
 *
 * @param url of the server: `ws(s)://` or `http(s)://host[:port][/prefix]`.
 */
export const webSocket = (url: string | URL, options: WebSocketOptions = {}): Transport => ({
  mode: 'live',
  connect: (space, events) => connect(spaceUrl(url, space, { http: 'ws:', https: 'wss:' }), options, events),
})

/** `WebSocket.OPEN`, whichever implementation it is. */
const OPEN = 1

const connect = (url: string, options: WebSocketOptions, events: TransportEvents): Connection => {
  let socket: WebSocket | undefined
  let token: string | undefined
  let done = false
  const finish = (failure?: Parameters<TransportEvents['closed']>[0]): void => {
    if (done) return
    done = true
    socket?.close()
    events.closed(failure)
  }
  const open = async (): Promise<void> => {
    token = await tokenOf(options.token)
    if (done) return
    socket = new (options.WebSocket ?? WebSocket)(url)
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      if (!done) events.opened()
    }
    socket.onmessage = ({ data }) => {
      if (done) return
      let message: ServerMessage
      try {
        if (typeof data === 'string') throw new DriftlogError('MALFORMED', 'a text frame')
        message = decodeServerFrame(new Uint8Array(data as ArrayBuffer))
      } catch (error) {
        finish(failureOf(error))
        return
      }
      // Outside: what fails in there is a bug, and must not pass for a bad connection.
      events.message(message)
    }
    socket.onclose = () => finish()
    // The close event follows and says all that a page may know.
    socket.onerror = () => {}
  }
  open().catch((error: unknown) => finish(failureOf(error)))
  return {
    send(messages) {
      if (done || socket?.readyState !== OPEN) return
      try {
        for (const message of messages) {
          const filledIn = message.type === 'hello' && token !== undefined ? { ...message, token } : message
          socket.send(encodeFrame(filledIn) as Uint8Array<ArrayBuffer>)
        }
      } catch (error) {
        finish(failureOf(error))
      }
    },
    close() {
      done = true
      socket?.close()
    },
  }
}
