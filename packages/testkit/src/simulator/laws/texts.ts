/** Values as text that is equal for equal values, whatever the order of keys. */
export const textOf = (value: unknown): string => JSON.stringify(sorted(value)) ?? 'nothing'

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (value instanceof Map) return sorted(Object.fromEntries(value))
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}
