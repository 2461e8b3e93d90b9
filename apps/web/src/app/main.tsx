import { DriftlogError } from '@driftlog/core'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import '../ui/tokens.css'
import '../ui/base.css'
import '../ui/controls.css'
import './shell.css'
import '../lists/lists.css'
import '../tasks/tasks.css'
import '../tasks/detail.css'
import '../conflicts/conflicts.css'
import '../status/status.css'
import { chooseSpace, fetchConfig, keptConfig } from '../data/config.ts'
import { openAppReplica, reconnectOnReturn } from '../data/replica.ts'
import { App } from './app.tsx'
import { commitBeforeLeaving } from './leaving.ts'
import { Message } from './message.tsx'
import './service-worker-updates.ts'

const container = document.getElementById('root')
if (container === null) throw new Error('index.html has no #root')
const root = createRoot(container)

const start = async (): Promise<void> => {
  let config = keptConfig()
  if (config === undefined) {
    try {
      config = await fetchConfig()
    } catch (error) {
      root.render(
        <Message title="The first visit needs a network">
          <p>
            This device does not know yet which space to open, and the server does not answer. Once it did, the app
            opens offline too.
          </p>
          <p className="fine-print">{String(error)}</p>
        </Message>,
      )
      return
    }
  }

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
    return
  }

  try {
    const replica = await openAppReplica(config, choice.space)
    // For the tests and the curious: try `await driftlog.replica.query(db => db.selectFrom('tasks').selectAll())`.
    window.driftlog = { replica }
    reconnectOnReturn(replica)
    commitBeforeLeaving(replica)
    root.render(
      <StrictMode>
        <App replica={replica} />
      </StrictMode>,
    )
  } catch (error) {
    root.render(
      <Message title="The tasks on this device cannot be opened">
        <p>{error instanceof Error ? error.message : String(error)}</p>
        <p>Nothing was changed. Close other windows of this app and try again.</p>
        {error instanceof DriftlogError && <p className="fine-print">{error.code}</p>}
      </Message>,
    )
  }
}

void start()
