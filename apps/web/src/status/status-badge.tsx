import { useStatus } from '../data/hooks.ts'
import { summaryWords } from './status-words.ts'

/** The status in the top bar of narrow windows, where the panel is folded away. */
export const StatusBadge = ({ onOpen }: { readonly onOpen: () => void }) => {
  const { summary, pending } = useStatus()
  return (
    <button type="button" className="status-badge" data-summary={summary} onClick={onOpen}>
      <span className="status-dot" aria-hidden="true" />
      {summaryWords[summary]}
      {pending > 0 && <span className="count">{pending}</span>}
    </button>
  )
}
