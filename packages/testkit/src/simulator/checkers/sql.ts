/** TAB2: SQL shows what the cells show, where the schedule reads through SQL. */
import type { CheckerFactory } from './checker.ts'

export const sql: CheckerFactory = (report, options) => ({
  name: 'sql',
  async atHealed({ replicas }) {
    if (!options.sql) return
    for (const { name, query, row } of replicas) {
      const rows = await query()
      for (const shown of rows) {
        const id = String(shown.id)
        const expected = row('tasks', id)
        if (expected === undefined) report(`${name}: SQL has tasks/${id}, the cells have not`)
        for (const [field, value] of Object.entries(expected ?? {})) {
          if (String(shown[field]) === String(value)) continue
          report(`${name}: SQL shows ${String(shown[field])} in tasks/${id}.${field}, the cells ${String(value)}`)
        }
      }
    }
  },
})
