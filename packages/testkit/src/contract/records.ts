/** Records: small values by key, changed by appends. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeTestHistory } from '../test-batches.ts'
import { kinds, space, text, unchangedBy, type UseBench } from './setup.ts'

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

    it('STORE9 an append that wants one absent that is there rejects, and stores nothing', async () => {
      const { store, medium, ann } = bench()
      const history = makeTestHistory(ann, [1, 1])
      const entry = (value: string, absent: readonly string[] = ['member/1']) => ({
        records: [
          { key: 'member/1', value: text.encode(value) },
          { key: 'head', value: text.encode(value) },
        ],
        absent,
      })
      expect(kinds(await store.append(space, [history[0]], entry('first')))).toEqual(['appended'])
      const exists = { code: 'RECORD_EXISTS', details: { key: 'member/1' } }
      await unchangedBy(store, async () => {
        await expect(store.append(space, [history[1]], entry('second'))).rejects.toMatchObject(exists)
        const options = { ...entry('second', ['member/2', 'member/1']), allOrNothing: true }
        await expect(store.append(space, [history[1]], options)).rejects.toMatchObject(exists)
        await expect(store.append(space, [], { absent: ['member/1'] })).rejects.toMatchObject(exists)
        const bad = { absent: ['a\0b'] }
        await expect(store.append(space, [], bad)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
      })
      // A key that goes on from it, and one that it goes on from, are others; so is one in another space.
      expect(await store.append(space, [], { absent: ['member/', 'member/10'] })).toEqual([])
      expect(await store.append('elsewhere', [], { absent: ['member/1'] })).toEqual([])
      const reopened = await medium.reopen()
      await expect(reopened.append(space, [], entry('third'))).rejects.toMatchObject(exists)
      await reopened.append(space, [], { records: [{ key: 'member/1', value: undefined }] })
      expect(await reopened.append(space, [], entry('third'))).toEqual([])
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
