import type { Replica } from '@driftlog/client'
import { ReplicaProvider } from '../data/hooks.ts'
import { MutationsProvider } from '../data/mutations-context.tsx'
import type { AppSchema } from '../data/schema.ts'
import { Notices } from '../ui/notices.tsx'
import { ErrorBoundary } from './error-boundary.tsx'
import { Shell } from './shell.tsx'

export const App = ({ replica }: { readonly replica: Replica<AppSchema> }) => (
  <ErrorBoundary>
    <ReplicaProvider replica={replica}>
      <Notices>
        <MutationsProvider>
          <Shell />
        </MutationsProvider>
      </Notices>
    </ReplicaProvider>
  </ErrorBoundary>
)
