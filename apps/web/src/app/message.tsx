import type { ReactNode } from 'react'

export interface MessageProps {
  readonly title: string
  readonly children: ReactNode
  /** Where the button leads; by default to the same address. */
  readonly next?: { readonly label: string; readonly address: string }
}

/** The whole window, where there is no app to show. */
export const Message = ({ title, children, next }: MessageProps) => (
  <main className="message">
    <img src="/icon.svg" alt="" width="44" height="44" />
    <h1>{title}</h1>
    {children}
    <button
      type="button"
      className="button button-primary"
      onClick={() => location.assign(next?.address ?? location.href)}
    >
      {next?.label ?? 'Try again'}
    </button>
  </main>
)
