/** Records: small values by key, changed by appends. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { space, text, type UseBench } from './setup.ts'

const prefixesOf = (key: string): string[] =>
  Array.from(key).map((_, index, characters) => characters.slice(0, index + 1).join(''))

export const recordsContract = (bench: UseBench): void => {
  describe('records', () => {
    const put = (...keys: readonly string[]): Promise<unknown> =>
      bench().store.append(space, [], { records: keys.map((key) => ({ key, value: text.encode(key) })) })
    const keys = async (prefix: string): Promise<string[]> =>
      (await bench().store.records(space, prefix)).map(({ key }) => key)

    it('are written, overwritten and deleted; the last change of a call counts', async () => {
      const { store } = bench()
      await put('a', 'b')
      await store.append(space, [], {
        records: [
          { key: 'a', value: new Uint8Array(0) },
          { key: 'b', value: undefined },
          { key: 'absent', value: undefined },
          { key: 'c', value: text.encode('1') },
          { key: 'c', value: text.encode('2') },
          { key: 'd', value: text.encode('1') },
          { key: 'd', value: undefined },
        ],
      })
      expect(await store.records(space, '')).toEqual([
        { key: 'a', value: new Uint8Array(0) },
        { key: 'c', value: text.encode('2') },
      ])
    })

    it('come in the order of UTF-16 code units', async () => {
      // U+1F600 is above U+FFFD as a code point and below it as code units.
      const sorted = ['', 'A', 'B', 'Z', 'a', 'aa', 'b', 'z', '~', 'é', '中', '\u{1f600}', '\ue000', '\ufffd', '\uffff']
      await put(...sorted.toReversed())
      expect(await keys('')).toEqual(sorted)
      expect([...sorted].sort()).toEqual(sorted)
    })

    it('are found by their exact prefix, whatever characters it has', async () => {
      const ascii = ['a%b', 'a_b', 'axb', 'a%', 'a_', 'A_', "a'b", 'a"b', 'a\\b', 'a*b', 'a?b', 'a[b]', 'a-b']
      const wider = ['é/1', 'e\u0301/1', '\u{1f600}/1', '\u{1f601}/1', '\u{10ffff}/1', '\uffff', '\uffff\uffff/1', 'ￜ']
      const all = [...ascii, ...wider]
      await put(...all)
      const prefixes = [...new Set(all.flatMap(prefixesOf))]
      for (const prefix of ['', ...prefixes, 'b', 'a%%', '\u{10fffe}']) {
        expect(await keys(prefix)).toEqual(all.filter((key) => key.startsWith(prefix)).sort())
      }
    })

    it('do what a map says, over random changes', { timeout: 60_000 }, async () => {
      const { store } = bench()
      const key = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_', 'é', '\u{1f600}', '\uffff'), maxLength: 4 })
      const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }) })
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(change), { maxLength: 5 }), fc.array(key), async (calls, prefixes) => {
          const within = `records-${run++}`
          const model = new Map<string, Uint8Array>()
          for (const records of calls) {
            await store.append(within, [], { records })
            for (const { key, value } of records) {
              if (value === undefined) model.delete(key)
              else model.set(key, value)
            }
          }
          for (const prefix of ['', ...prefixes]) {
            const found = await store.records(within, prefix)
            const wanted = [...model].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
            expect(found).toEqual(wanted.map(([key, value]) => ({ key, value })))
          }
        }),
        { numRuns: 40 },
      )
    })
  })
}
