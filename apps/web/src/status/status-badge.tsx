import { useStatus } from '../data/hooks.ts'
import { summaryWords } from './status-words.ts'

/** The status in the top bar of narrow windows, where the panel is folded away. */
export const StatusBadge = ({ onOpen }: { readonly onOpen: () => void }) => {
  const { summary, pending, conflicts } = useStatus()
  return (
    <button type="button" className="status-badge" data-summary={summary} onClick={onOpen}>
      <span className="status-dot" aria-hidden="true" />
      <span className="status-badge-words">{summaryWords[summary]}</span>
      {conflicts > 0 && <span className="count">{conflicts}</span>}
      {conflicts === 0 && pending > 0 && <span className="count">{pending}</span>}
    </button>
  )
}
