/** Everything that happens, folded into one hash; and told line by line to who listens. */
import type { VirtualTime } from './time.ts'
import { START_MS } from './time.ts'

export class Trace {
  readonly #time: VirtualTime
  readonly #onLine: ((line: string) => void) | undefined
  #high = 0x811c9dc5
  #low = 0x9e3779b9

  constructor(time: VirtualTime, onLine: ((line: string) => void) | undefined) {
    this.#time = time
    this.#onLine = onLine
  }

  /** `words` name the event; the time is folded in by itself. */
  note(...words: readonly (string | number)[]): void {
    this.#fold((this.#time.nowMs - START_MS) * 1_000)
    for (const word of words) {
      if (typeof word === 'number') this.#fold(word)
      else for (let index = 0; index < word.length; index++) this.#fold(word.charCodeAt(index))
    }
    this.#onLine?.(`${this.#stamp()} ${words.join(' ')}`)
  }

  /** A message, with its bytes. */
  noteBytes(name: string, words: string, bytes: Uint8Array): void {
    let sum = bytes.length
    for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193)
    this.note(name, words, bytes.length, sum)
  }

  #stamp(): string {
    return `${((this.#time.nowMs - START_MS) / 1_000).toFixed(3)} s`.padStart(12)
  }

  #fold(value: number): void {
    this.#high = Math.imul(this.#high ^ (value | 0), 0x01000193)
    this.#low = Math.imul(this.#low ^ (value | 0) ^ (this.#high >>> 15), 0x85ebca6b)
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
  }
}
