import { useEffect, useState } from 'react'

const TOLD_MS = 3_000

/** Copies a text. `onRefused`: the browser does not let us, so the text should be selected instead. */
export const CopyButton = ({
  text,
  label,
  onRefused,
}: {
  readonly text: string
  readonly label: string
  readonly onRefused?: () => void
}) => {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const handle = setTimeout(() => setCopied(false), TOLD_MS)
    return () => clearTimeout(handle)
  }, [isCopied])

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
    } catch {
      onRefused?.()
    }
  }
  return (
    <>
      <button type="button" className="button" onClick={() => void copy()}>
        {isCopied ? 'Copied' : label}
      </button>
      <span className="visually-hidden" role="status">
        {isCopied ? 'Copied' : ''}
      </span>
    </>
  )
}
