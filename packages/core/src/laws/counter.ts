/**
 * The counter (PN-Counter; Shapiro et al. 2011): the sum of all increments, each op counted once. Sums are exact at any
 * size: beyond 2^53 they go on as bigint, so that no order of additions can round differently.
 */
export type CounterTotal = number | bigint

export const addToCounter = (total: CounterTotal, increment: number): CounterTotal => {
  if (typeof total === 'number') {
    const sum = total + increment
    if (Number.isSafeInteger(sum)) return sum
  }
  const exact = BigInt(total) + BigInt(increment)
  const rounded = Number(exact)
  return Number.isSafeInteger(rounded) ? rounded : exact
}
