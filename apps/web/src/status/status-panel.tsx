import { useState } from 'react'
import { useReplica, useStatus } from '../data/hooks.ts'
import { reconnect, setWantsOnline, wantsOnline } from '../data/replica.ts'
import { KeysPanel } from '../keys/keys-panel.tsx'
import { useMayWrite, useStanding } from '../members/use-members.ts'
import { OwnName } from './own-name.tsx'
import { useNow } from '../ui/use-now.ts'
import { conflictWords, statusNumbers, summaryWords } from './status-words.ts'

/** Where this device stands with the server, and the switch that takes it offline on purpose. */
export const StatusPanel = ({ onUndecided }: { readonly onUndecided: () => void }) => {
  const replica = useReplica()
  const status = useStatus()
  const mayWrite = useMayWrite()
  const standing = useStanding()
  const now = useNow()
  const [online, setOnline] = useState(wantsOnline)
  const numbers = statusNumbers(status, online, now)
  const turn = (next: boolean) => {
    setWantsOnline(replica, next)
    setOnline(next)
  }

  return (
    <section className="status" aria-label="Sync">
      <div className="status-head">
        <p className="status-summary" role="status" aria-label="Sync status" data-summary={status.summary}>
          <span className="status-dot" aria-hidden="true" />
          {summaryWords[status.summary]}
        </p>
        <label className="switch">
          <span>Online</span>
          <input type="checkbox" role="switch" checked={online} onChange={(event) => turn(event.target.checked)} />
        </label>
      </div>
      <p className="status-numbers">
        {numbers !== '' && <span>{numbers}</span>}
        {online && status.summary === 'offline' && (
          <button type="button" className="link-button" onClick={() => reconnect(replica)}>
            Try now
          </button>
        )}
        {status.conflicts > 0 && (
          <button type="button" className="link-button" onClick={onUndecided}>
            {conflictWords(status.conflicts)}
          </button>
        )}
      </p>
      {mayWrite && <OwnName />}
      <KeysPanel />
      {/* Where members are what stands in the way, the view says so. */}
      {status.error && (standing === 'writes' || standing === 'reads') && (
        <p className="status-error" role="alert">
          {status.error.message} {!status.readOnly && 'What is written here is kept, and sent when it works again.'}{' '}
          <code>{status.error.code}</code>
        </p>
      )}
    </section>
  )
}
