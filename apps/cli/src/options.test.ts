import { expect, test } from 'vitest'
import { collect, durationSeconds, portNumber, roleName, serverUrl, spaceId, wholeNumber } from './options.ts'

const usage = expect.objectContaining({ code: 'USAGE' })

test.each([
  ['90s', 90],
  ['15m', 900],
  ['12h', 43_200],
  ['30d', 2_592_000],
  ['2w', 1_209_600],
])('%s is %i seconds', (text, seconds) => expect(durationSeconds(text)).toBe(seconds))

test.each(['', '0d', '5', 'd', '-1d', '1y', '1.5h'])('%s is no duration', (text) => {
  expect(() => durationSeconds(text)).toThrow(usage)
})

test.each([
  ['http://localhost:4000', 'http://localhost:4000'],
  ['http://localhost:4000/', 'http://localhost:4000'],
  ['wss://sync.example.org/base/', 'https://sync.example.org/base'],
])('%s is reached at %s', (text, url) => expect(serverUrl(text)).toBe(url))

test('what cannot be used is a matter of usage', () => {
  for (const text of ['nowhere', 'ftp://x', '']) expect(() => serverUrl(text)).toThrow(usage)
  for (const text of ['-1', '65536', '4e3', '']) expect(() => portNumber(text)).toThrow(usage)
  expect(() => wholeNumber('a count', 1)('0')).toThrow(usage)
  expect(() => spaceId('no spaces')).toThrow(usage)
  expect(() => roleName('owner')).toThrow(usage)
  expect(portNumber('0')).toBe(0)
  expect(collect(spaceId)('b', ['a'])).toEqual(['a', 'b'])
})
