import type { ReactNode } from 'react'

export interface ScreenProps {
  readonly title: string
  readonly children: ReactNode
}

/** The whole window, where there is no app to show. */
export const Screen = ({ title, children }: ScreenProps) => (
  <main className="message">
    <img src="/icon.svg" alt="" width="44" height="44" />
    <h1>{title}</h1>
    {children}
  </main>
)
