import { defineProject } from 'vitest/config'
import { fromSource, TEST_TIMEOUT_MS } from '../../vitest.shared.ts'

export default defineProject({
  ...fromSource,
  test: { name: 'core', testTimeout: TEST_TIMEOUT_MS, include: ['src/**/*.test.{ts,tsx}'] },
})
