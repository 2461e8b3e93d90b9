/**
 * From the address to the open app.
 *
 *     configuration ─▶ space ─▶ key (keys/find-key.ts) ─▶ replica ─▶ app
 */
import { isInvitationCode } from '@driftlog/client'
import { DriftlogError } from '@driftlog/core'
import { type ReactNode, StrictMode } from 'react'
import type { Root } from 'react-dom/client'
import { chooseSpace, type Config, fetchConfig, keptConfig } from '../data/config.ts'
import { localDay } from '../data/days.ts'
import { deleteStore, openStore } from '../data/local-store.ts'
import { openAppReplica, reconnectOnReturn, serverOf, wantsOnline } from '../data/replica.ts'
import { addSamples } from '../data/samples.ts'
import { askBy } from '../keys/ask.tsx'
import { findKey } from '../keys/find-key.ts'
import { keepInvitation, keepKey, type OwnKey } from '../keys/kept-key.ts'
import { KeyKeeper } from '../keys/key-keeper.ts'
import type { LinkSecret, SpaceSecret } from '../keys/link.ts'
import { lookAt, opens } from '../keys/look.ts'
import { hearOtherWindows } from '../keys/other-windows.ts'
import { BrokenKeysScreen, LookingScreen } from '../keys/screens.tsx'
import { App } from './app.tsx'
import { commitBeforeLeaving } from './leaving.ts'
import { Message } from './message.tsx'

interface Opened {
  readonly key: OwnKey
  /** What was typed is stored; the view is gone. */
  readonly close: () => Promise<void>
}

/** How long a start without a key waits for the server to say what the space holds. */
const LOOK_MS = 8_000

/** Starts the app with what the address held of a key; again, where another link is followed while it is open. */
export const starter = (root: Root): ((link: LinkSecret) => Promise<void>) => {
  let opened: Opened | undefined
  return async (link) => {
    if (opened !== undefined && link === opened.key) return
    await opened?.close()
    opened = undefined
    opened = await start(root, link)
  }
}

/** Resolves without one where something stands in the way; then that is shown. */
const start = async (root: Root, link: LinkSecret): Promise<Opened | undefined> => {
  const config = keptConfig() ?? (await firstConfig(root))
  if (config === undefined) return undefined
  const choice = chooseSpace(config, location.search)
  if ('refused' in choice) {
    root.render(
      <Message
        title="This server does not offer that space"
        next={{ label: `Open “${config.space}”`, address: location.pathname }}
      >
        <p>The address asks for the space “{choice.refused}”. Nothing was opened or changed.</p>
      </Message>,
    )
    return undefined
  }
  try {
    return await openSpace(root, config, choice.space, link)
  } catch (error) {
    root.render(
      <Message title="The tasks on this device cannot be opened">
        <p>{error instanceof Error ? error.message : String(error)}</p>
        <p>Nothing was changed. Close other windows of this app and try again.</p>
        {error instanceof DriftlogError && <p className="fine-print">{error.code}</p>}
      </Message>,
    )
    return undefined
  }
}

const firstConfig = async (root: Root): Promise<Config | undefined> => {
  try {
    return await fetchConfig()
  } catch (error) {
    root.render(
      <Message title="The first visit needs a network">
        <p>
          This device does not know yet which space to open, and the server does not answer. Once it did, the app opens
          offline too.
        </p>
        <p className="fine-print">{String(error)}</p>
      </Message>,
    )
    return undefined
  }
}

const openSpace = async (root: Root, config: Config, space: string, link: LinkSecret): Promise<Opened | undefined> => {
  const store = openStore(space)
  const transport = serverOf(config)
  const show = (screen: ReactNode) => root.render(screen)
  const look = () => {
    show(<LookingScreen />)
    return lookAt({ space, store, transport, online: wantsOnline() && navigator.onLine, patienceMs: LOOK_MS })
  }
  const startOver = async (secret: SpaceSecret): Promise<never> => {
    await store.close()
    await deleteStore(space)
    const fresh = openStore(space)
    await (isInvitationCode(secret) ? keepInvitation(fresh, space, secret) : keepKey(fresh, space, secret))
    location.reload()
    return new Promise<never>(() => {})
  }

  try {
    const { key, vault, isNew } = await findKey({
      space,
      store,
      transport,
      link,
      ask: askBy(show, { space, store }),
      look,
      startOver,
    })
    const replica = await openAppReplica({ space, key, store, transport })
    if (isNew) addSamples(replica, localDay(new Date()))
    // For the tests and the curious: try `await driftlog.replica.query(db => db.selectFrom('tasks').selectAll())`.
    window.driftlog = { replica }
    reconnectOnReturn(replica)
    commitBeforeLeaving(replica)
    const close = async () => {
      otherWindows.close()
      // Fields that go away have what is typed in them stored.
      show(<LookingScreen />)
      await replica.close()
    }
    const lockHere = async () => {
      await close()
      location.reload()
    }
    const otherWindows = hearOtherWindows(space, () => void lockHere())
    const keys = new KeyKeeper({
      space,
      store,
      key,
      vault,
      lockOthers: otherWindows.lock,
      lockHere,
    })
    show(
      <StrictMode>
        <App replica={replica} keys={keys} />
      </StrictMode>,
    )
    return { key, close }
  } catch (error) {
    if (!(error instanceof DriftlogError && (error.code === 'KEYS_DAMAGED' || error.code === 'KEY_WRONG'))) throw error
    const sight = await look()
    show(
      <BrokenKeysScreen
        areDamaged={error.code === 'KEYS_DAMAGED'}
        sight={sight}
        isRight={(key) => opens(key, space, sight)}
        onSecret={(secret) => void startOver(secret)}
      />,
    )
    return undefined
  }
}
