import { Component, type ReactNode } from 'react'
import { Message } from './message.tsx'

interface Props {
  readonly children: ReactNode
}

/** A bug in the view must not look like lost data. */
export class ErrorBoundary extends Component<Props, { readonly error: unknown }> {
  override state = { error: undefined }

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === undefined) return this.props.children
    return (
      <Message title="Something in the view went wrong">
        <p>Your tasks are kept on this device.</p>
        <p className="fine-print">{String(error)}</p>
      </Message>
    )
  }
}
