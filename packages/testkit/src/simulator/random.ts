/**
 * Seeded randomness in named streams. A stream is a function of the root's seed and of its name alone, never of what
 * others have drawn: so a schedule that loses one device or one fault draws the same numbers everywhere else.
 */

/** FNV-1a, finished by the mixer of murmur3: 32 bits of a text. */
const hashText = (text: string, seed: number): number => {
  let hash = seed ^ 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return mix(hash)
}

const mix = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export class Random {
  readonly #high: number
  readonly #low: number
  // sfc32 (C. Doty-Humphrey, PractRand): small, fast, and of a period that no schedule sees the end of.
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(high: number, low: number) {
    this.#high = high
    this.#low = low
    this.#a = high
    this.#b = low
    this.#c = high ^ mix(low)
    for (let round = 0; round < 12; round++) this.next()
  }

  /** The root of a schedule. `seed`: any safe integer. */
  static of(seed: number): Random {
    return new Random(mix(seed >>> 0), mix(Math.floor(seed / 2 ** 32) ^ 0x9e3779b9))
  }

  /** Another stream, by name. */
  stream(name: string): Random {
    return new Random(hashText(name, this.#high), hashText(name, this.#low ^ 0x5bd1e995))
  }

  /** 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** In [0, 1). */
  fraction(): number {
    return this.next() / 2 ** 32
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.fraction() * below)
  }

  /** A whole number in [least, most]. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]
  }

  /** An index into `weights`, as often as its weight is heavy. */
  weighted(weights: readonly number[]): number {
    let at = this.fraction() * weights.reduce((sum, weight) => sum + weight, 0)
    for (let index = 0; index < weights.length; index++) {
      at -= weights[index]
      if (at < 0) return index
    }
    return weights.length - 1
  }

  /** From `least` to `most`, small values being as likely as large ones on a logarithmic scale. */
  spread(least: number, most: number): number {
    return least * (most / least) ** this.fraction()
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let index = 0; index < length; index++) bytes[index] = this.next()
    return bytes
  }
}
