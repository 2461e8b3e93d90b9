/** What an app's mutations draw their data from: everything follows from the seed. */
import type { Random } from '../simulator/random.ts'

export interface AppRandom {
  /** A whole number in [least, most]. */
  integer(least: number, most: number): number
  chance(probability: number): boolean
  /** One of them; undefined where there is none. */
  pick<T>(items: readonly [T, ...T[]]): T
  pick<T>(items: readonly T[]): T | undefined
  /** A few words, different nearly every time. */
  words(): string
}

const words = [
  'milk',
  'rain',
  'stone',
  'bread',
  'lamp',
  'river',
  'paper',
  'salt',
  'north',
  'wool',
  'copper',
  'leaf',
] as const

export const appRandom = (random: Random): AppRandom => ({
  integer: (least, most) => random.between(least, most),
  chance: (probability) => random.chance(probability),
  pick: <T>(items: readonly T[]): T => random.pick(items),
  words: () => `${random.pick(words)} ${random.pick(words)} ${random.below(1_000)}`,
})
