import { facts as automerge } from './automerge/facts.ts'
import { facts as cojson } from './cojson/facts.ts'
import { facts as driftlog, plainFacts } from './driftlog/facts.ts'
import { facts as evolu } from './evolu/facts.ts'
import { facts as loro } from './loro/facts.ts'
import { facts as pouchdb } from './pouchdb/facts.ts'
import { facts as rxdb } from './rxdb/facts.ts'
import { autocommitFacts as sqljs, guardedFacts as sqljsGuarded } from './sqljs/facts.ts'
import type { Facts, Subject } from './subject.ts'
import { facts as tinybase } from './tinybase/facts.ts'
import { facts as wsRelay } from './ws-relay/facts.ts'
import { facts as yjs } from './yjs/facts.ts'

export interface Entry {
  readonly facts: Facts
  /** A process loads only the subject that it measures. */
  load(): Promise<Subject>
}

/** In the order of the report. */
export const subjects: Readonly<Record<string, Entry>> = {
  driftlog: { facts: driftlog, load: async () => (await import('./driftlog/subject.ts')).driftlog },
  'driftlog-plain': { facts: plainFacts, load: async () => (await import('./driftlog/plain.ts')).loadPlain() },
  yjs: { facts: yjs, load: async () => (await import('./yjs/subject.ts')).yjs },
  loro: { facts: loro, load: async () => (await import('./loro/subject.ts')).loro },
  automerge: { facts: automerge, load: async () => (await import('./automerge/subject.ts')).automerge },
  tinybase: { facts: tinybase, load: async () => (await import('./tinybase/subject.ts')).tinybase },
  evolu: { facts: evolu, load: async () => (await import('./evolu/subject.ts')).evolu },
  rxdb: { facts: rxdb, load: async () => (await import('./rxdb/subject.ts')).rxdb },
  pouchdb: { facts: pouchdb, load: async () => (await import('./pouchdb/subject.ts')).pouchdb },
  cojson: { facts: cojson, load: async () => (await import('./cojson/subject.ts')).cojson },
  sqljs: { facts: sqljs, load: async () => (await import('./sqljs/subject.ts')).sqljs },
  'sqljs-guarded': { facts: sqljsGuarded, load: async () => (await import('./sqljs/subject.ts')).sqljsGuarded },
  'ws-relay': { facts: wsRelay, load: async () => (await import('./ws-relay/subject.ts')).wsRelay },
}
