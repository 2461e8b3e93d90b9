import { useState } from 'react'
import { useReplica } from '../data/hooks.ts'
import { MembersDialog } from '../members/members-dialog.tsx'
import { useMemberList } from '../members/use-members.ts'
import { BackupDialog } from '../backup/backup-dialog.tsx'
import { Icon } from '../ui/icons.tsx'
import { KeyDialog } from './key-dialog.tsx'
import { useSpaceKeys } from './keys-context.tsx'
import { ShareDialog } from './share-dialog.tsx'

/** How the key of the space is kept, and the ways to hand it to another device or into a file. */
export const KeysPanel = () => {
  const { keys, isProtected } = useSpaceKeys()
  const { members } = useReplica()
  const list = useMemberList()
  const { spaceKey } = keys
  const [open, setOpen] = useState<'share' | 'backup' | 'key'>()
  const close = () => setOpen(undefined)
  return (
    <div className="keys-panel">
      <button type="button" className="panel-button" onClick={() => setOpen('share')}>
        <span>{list === undefined ? 'Add a device' : 'People and devices'}</span>
        <Icon name="devices" />
      </button>
      <button type="button" className="panel-button" onClick={() => setOpen('backup')}>
        <span>Back up</span>
        <Icon name="download" />
      </button>
      <button
        type="button"
        className="panel-button"
        data-unprotected={!isProtected || undefined}
        onClick={() => setOpen('key')}
      >
        <span>{isProtected ? 'Encrypted · passphrase set' : 'Encrypted · no passphrase'}</span>
        <Icon name={isProtected ? 'lock' : 'unlocked'} />
      </button>
      {open === 'share' && spaceKey !== undefined && <ShareDialog spaceKey={spaceKey} onClose={close} />}
      {open === 'share' && members && list && <MembersDialog members={members} list={list} onClose={close} />}
      {open === 'backup' && <BackupDialog onClose={close} />}
      {open === 'key' && <KeyDialog onClose={close} />}
    </div>
  )
}
