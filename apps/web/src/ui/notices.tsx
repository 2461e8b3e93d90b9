/** Short messages at the foot of the window: what was done and how to undo it, or what was refused and why. */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react'
import { Icon } from './icons.tsx'

export interface Notice {
  readonly text: string
  readonly tone?: 'plain' | 'problem'
  readonly action?: { readonly label: string; readonly run: () => void }
}

/** Long enough to read and to reach for Undo. Problems stay until they are put away. */
const SHOWN_MS = 8_000

const NoticeContext = createContext<(notice: Notice) => void>(() => {})

export const useNotify = () => useContext(NoticeContext)

export const Notices = ({ children }: { readonly children: ReactNode }) => {
  const [notice, setNotice] = useState<Notice>()
  const dismiss = useCallback(() => setNotice(undefined), [])
  const runAction = useCallback(() => {
    notice?.action?.run()
    dismiss()
  }, [notice, dismiss])

  useEffect(() => {
    if (notice === undefined || notice.tone === 'problem') return
    const handle = setTimeout(dismiss, SHOWN_MS)
    return () => clearTimeout(handle)
  }, [notice, dismiss])

  return (
    <NoticeContext value={setNotice}>
      {children}
      <div className="notices" role="status" aria-label="Messages">
        {notice && (
          <p className={`notice notice-${notice.tone ?? 'plain'}`}>
            <span>{notice.text}</span>
            {notice.action && (
              <button type="button" className="notice-action" onClick={runAction}>
                {notice.action.label}
              </button>
            )}
            <button type="button" className="icon-button" aria-label="Dismiss" onClick={dismiss}>
              <Icon name="close" />
            </button>
          </p>
        )}
      </div>
    </NoticeContext>
  )
}

/** Whether keys belong to a field just now. */
export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input:not([type=checkbox]), textarea, select, [contenteditable]')

/** Whether a field has an undo of its own, of what is typed in it. */
export const isWriting = (target: EventTarget | null): boolean =>
  isTyping(target) && target instanceof HTMLElement && !target.matches('select, [type=radio], [type=date]')
