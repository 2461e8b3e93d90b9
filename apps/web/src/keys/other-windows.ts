/** Windows of one browser share the key: what locks one locks all. */
export interface OtherWindows {
  /** Tells them that the key is kept elsewhere now, or gone: they load again, and ask. */
  readonly lock: () => void
  readonly close: () => void
}

export const hearOtherWindows = (space: string, onLock: () => void): OtherWindows => {
  const channel = new BroadcastChannel(`driftlog:keys:${space}`)
  channel.onmessage = onLock
  return { lock: () => channel.postMessage('lock'), close: () => channel.close() }
}
