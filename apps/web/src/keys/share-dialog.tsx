import type { SpaceKey } from '@driftlog/client'
import { Dialog } from '../ui/dialog.tsx'
import { ShareLink } from './share-link.tsx'

/** In a space without members: the link with the key in it. */
export const ShareDialog = ({ spaceKey, onClose }: { readonly spaceKey: SpaceKey; readonly onClose: () => void }) => (
  <Dialog title="Add a device" onClose={onClose}>
    <p>Open this link on the other device, or scan the code with its camera.</p>
    <ShareLink secret={spaceKey} label="Link with the key" />
    <p className="dialog-warning">
      Whoever has this link reads and changes everything in this space, and it cannot be taken back: send it only in
      ways that you trust.
    </p>
  </Dialog>
)
