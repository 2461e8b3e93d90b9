/** A node that stands for the server, in the process of the devices, with messages as JSON between. */
import { setImmediate } from 'node:timers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { cojsonInternals, type LocalNode } from 'cojson'
import { createNode } from './device.ts'

const ENCODER = new TextEncoder()
/** Messages wait in queues of the library, which yields between them. */
const QUIET_TURNS = 50
const HUB = 'hub'

interface Channel {
  push(message: unknown): void
}

export class Hub {
  readonly node = createNode()
  /** What devices sent, and what they were sent. */
  readonly sent: Uint8Array[] = []
  readonly answered: Uint8Array[] = []
  #underWay = 0
  #links = 0

  /** The returned function ends it. */
  link(device: LocalNode): () => void {
    const own = `device-${this.#links++}`
    const [hub, peer] = cojsonInternals.connectedPeers(HUB, own, { peer1role: 'server', peer2role: 'client' })
    this.#pass(hub.outgoing as Channel, this.sent)
    this.#pass(peer.outgoing as Channel, this.answered)
    this.node.syncManager.addPeer(peer)
    device.syncManager.addPeer(hub)
    return () => {
      device.syncManager.removePeer(HUB)
      this.node.syncManager.removePeer(own)
    }
  }

  #pass(channel: Channel, counted: Uint8Array[]): void {
    const push = channel.push.bind(channel)
    channel.push = (message) => {
      const text = JSON.stringify(message)
      counted.push(ENCODER.encode(text))
      this.#underWay++
      setImmediate(() => {
        this.#underWay--
        push(JSON.parse(text))
      })
    }
  }

  /** Resolves when the hub has all, and nothing is under way any more. */
  async settled(nodes: readonly LocalNode[]): Promise<void> {
    for (const node of nodes) await node.syncManager.waitForAllCoValuesSync()
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await nextTurn()
      if (this.#underWay > 0) turns = 0
    }
  }
}
