// Tests run the sources: the condition `driftlog-source` leads every workspace package to its src/mod.ts, so nothing has to be built first.
// (vite's own default conditions must be repeated: a list of ours replaces them.)
const conditions = ['driftlog-source', 'module', 'node', 'development|production']

export const fromSource = { resolve: { conditions }, ssr: { resolve: { conditions } } }

/** Bounds a hang, not a speed: properties run thousands of cases, and a machine may be busy. */
export const TEST_TIMEOUT_MS = 60_000
