/**
 * Keeps the identity of what did not change between two results of a query (Q8), so that a view is rendered again only
 * where it must. Linear in the size of both results.
 *
 * Rows are matched by `id` where they have one (the first of several with the same), else by position. Returns
 * `previous` itself where nothing changed.
 */
export const reconcileRows = <O>(previous: readonly O[], next: readonly O[]): readonly O[] => {
  const byId = new Map<unknown, O>()
  for (const row of previous) {
    const id = idOf(row)
    if (id !== undefined && !byId.has(id)) byId.set(id, row)
  }
  let isSame = previous.length === next.length
  const rows = next.map((row, index) => {
    const here = previous[index]
    // The row that stands at the same place comes first: rows with the same id differ in a join.
    const kept = index < previous.length && isEqual(here, row) ? here : keep(byId.get(idOf(row)), row)
    if (!Object.is(kept, here)) isSame = false
    return kept
  })
  return isSame ? previous : rows
}

const idOf = (row: unknown): unknown =>
  typeof row === 'object' && row !== null && 'id' in row ? (row.id ?? undefined) : undefined

const keep = <O>(old: O | undefined, row: O): O => (old !== undefined && isEqual(old, row) ? old : row)

/** Deep equality of what rows and records consist of: primitives, Dates, bytes, arrays, maps, plain objects. */
export const isEqual = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && Object.is(a.getTime(), b.getTime())
  }
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) {
    return (
      a instanceof Uint8Array &&
      b instanceof Uint8Array &&
      a.length === b.length &&
      a.every((byte, index) => byte === b[index])
    )
  }
  if (a instanceof Map || b instanceof Map) {
    return (
      a instanceof Map &&
      b instanceof Map &&
      a.size === b.size &&
      [...a].every(([key, value]) => b.has(key) && isEqual(value, b.get(key)))
    )
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key as keyof typeof a], b[key as keyof typeof b]))
}
