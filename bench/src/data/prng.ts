/** mulberry32: small, fast and the same everywhere. The figures rest on no cryptographic quality. */
export interface Prng {
  /** An integer in [0, below). */
  int(below: number): number
  /** `length` characters that are safe in a URL. */
  text(length: number): string
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

export const createPrng = (seed: number): Prng => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (below: number): number => Math.floor(next() * below)
  return {
    int,
    text: (length) => {
      let text = ''
      for (let index = 0; index < length; index++) text += ALPHABET[int(64)]
      return text
    },
  }
}
