/** The names that a schema may use (SCH1, SCH2). */
import { DriftlogError } from '../errors.ts'

/** The columns that every row has; no field can have their names. */
export const ROW_META = ['id', 'createdAt', 'createdBy', 'updatedAt'] as const

const NAME = /^[a-zA-Z][a-zA-Z0-9_]*$/
const MAX_NAME_LENGTH = 64

export const invalid = (why: string, details: Record<string, unknown> = {}): DriftlogError =>
  new DriftlogError('SCHEMA_INVALID', why, details)

export const checkName = (name: string, what: string): void => {
  if (!NAME.test(name)) throw invalid(`${what}: a name is a letter, then letters, digits and _`, { name })
  if (name.length > MAX_NAME_LENGTH)
    throw invalid(`${what}: a name has at most ${MAX_NAME_LENGTH} characters`, { name })
  if (name.toLowerCase().startsWith('sqlite'))
    throw invalid(`${what}: names that start with sqlite are taken`, { name })
}

/** SQL does not tell upper from lower case in names. */
export const checkNoTwins = (names: readonly string[], what: string): void => {
  const seen = new Map<string, string>()
  for (const name of names) {
    const twin = seen.get(name.toLowerCase())
    if (twin !== undefined) throw invalid(`the ${what}s "${twin}" and "${name}" differ in case only`, { name, twin })
    seen.set(name.toLowerCase(), name)
  }
}

export const checkFieldNames = (table: string, names: readonly string[]): void => {
  for (const name of names) {
    checkName(name, `field "${table}.${name}"`)
    const taken = ROW_META.find((column) => column.toLowerCase() === name.toLowerCase())
    if (taken !== undefined) throw invalid(`field "${table}.${name}": every row has ${taken} already`, { table, name })
  }
  checkNoTwins(names, `field of "${table}"`)
}

export const checkIndexes = (
  table: string,
  indexes: readonly (readonly string[])[],
  fields: readonly string[],
): void => {
  for (const index of indexes) {
    if (index.length === 0) throw invalid(`an index of "${table}" names no field`, { table })
    for (const name of index) {
      if (!fields.includes(name) && !(ROW_META as readonly string[]).includes(name)) {
        throw invalid(`an index of "${table}" names "${name}", which is no field of it`, { table, name })
      }
    }
    if (new Set(index).size < index.length)
      throw invalid(`an index of "${table}" names a field twice`, { table, index })
  }
}
