import { Screen, type ScreenProps } from '../ui/screen.tsx'

export interface MessageProps extends ScreenProps {
  /** Where the button leads; by default to the same address. */
  readonly next?: { readonly label: string; readonly address: string }
}

/** What stands in the way of the app, and a button to go on by. */
export const Message = ({ title, children, next }: MessageProps) => (
  <Screen title={title}>
    {children}
    <button
      type="button"
      className="button button-primary"
      // To assign the same address would not load it again where it has a `#`.
      onClick={() => (next === undefined ? location.reload() : location.assign(next.address))}
    >
      {next?.label ?? 'Try again'}
    </button>
  </Screen>
)
