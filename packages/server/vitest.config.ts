import { defineProject } from 'vitest/config'

export default defineProject({
  resolve: { conditions: ['driftlog-source'] },
  ssr: { resolve: { conditions: ['driftlog-source'] } },
  test: { name: 'server', include: ['src/**/*.test.ts'] },
})
