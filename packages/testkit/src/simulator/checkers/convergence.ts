/** Faults 5: equal projected vectors, equal digests: at any two moments, on any two replicas, and built from scratch. */
import { type CheckerFactory, vectorText } from './checker.ts'
import { mayFork } from './identity-faults.ts'

export const convergence: CheckerFactory = (report, options) => {
  const digests = new Map<string, { readonly digest: string; readonly by: string }>()
  const compare = (projected: string, digest: string, by: string): void => {
    const known = digests.get(projected)
    if (known === undefined) digests.set(projected, { digest, by })
    else if (known.digest !== digest) report(`${by} and ${known.by} show ${projected} with different digests`)
  }
  return {
    name: 'convergence',
    onEvent(event) {
      if (event.kind !== 'sampled' || mayFork(options)) return
      compare(vectorText(event.projected), event.digest, `d${event.tab.machine}.${event.tab.tab}`)
    },
    atHealed({ replicas, log }) {
      for (const { name, projected, digest } of replicas) compare(vectorText(projected), digest, name)
      compare(vectorText(log.projected), log.digest, "the server's log, projected from scratch,")
    },
  }
}
