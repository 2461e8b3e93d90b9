import type { Replica } from '@driftlog/client'
import { ReplicaProvider } from '../data/hooks.ts'
import { MutationsProvider } from '../data/mutations-context.tsx'
import type { AppSchema } from '../data/schema.ts'
import type { KeyKeeper } from '../keys/key-keeper.ts'
import { KeysProvider } from '../keys/keys-context.tsx'
import { Notices } from '../ui/notices.tsx'
import { ErrorBoundary } from './error-boundary.tsx'
import { Shell } from './shell.tsx'

export interface AppProps {
  readonly replica: Replica<AppSchema>
  readonly keys: KeyKeeper
}

export const App = ({ replica, keys }: AppProps) => (
  <ErrorBoundary>
    <ReplicaProvider replica={replica}>
      <Notices>
        <MutationsProvider>
          <KeysProvider keys={keys}>
            <Shell />
          </KeysProvider>
        </MutationsProvider>
      </Notices>
    </ReplicaProvider>
  </ErrorBoundary>
)
