import { expect, test } from 'vitest'
import { actCount, formatReplay, parseReplay } from './replay-code.ts'

test('a schedule in one line reads back as it was', () => {
  const code = '17&devices=2&sql=true&weights=clone:1,cut:3&latencyMs=0.5:20&keep=0-3,7'
  const replay = parseReplay(code)
  expect(replay).toEqual({
    seed: 17,
    options: { devices: 2, sql: true, weights: { clone: 1, cut: 3 }, latencyMs: [0.5, 20] },
    kept: new Set([0, 1, 2, 3, 7]),
  })
  expect(formatReplay(replay)).toBe(code)
  expect(actCount(replay)).toBe(5)
})

test('a seed alone is a schedule', () => {
  expect(parseReplay('5')).toEqual({ seed: 5, options: {}, kept: undefined })
  expect(formatReplay(parseReplay('5'))).toBe('5')
})

test('nothing kept is nothing done, not everything', () => {
  const replay = parseReplay('5&keep=')
  expect(actCount(replay)).toBe(0)
  expect(formatReplay(replay)).toBe('5&keep=')
})

test.each([
  '',
  'x',
  '-1',
  '1.5',
  '5&devices=two',
  '5&nothing=1',
  '5&seed=3',
  '5&keep=a',
  '5&keep=3-',
  '5&weights=fire:1',
  '5&sql=1',
  '5&latencyMs=3',
])('%s is no schedule', (text) => {
  expect(() => parseReplay(text)).toThrow(Error)
})
