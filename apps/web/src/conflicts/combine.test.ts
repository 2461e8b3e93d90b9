import { expect, test } from 'vitest'
import { combineTexts } from './combine.ts'

test.each([
  [['Wash both sails', 'Wash the sails with soap'], 'Wash both the sails with soap'],
  [['Paint the boat', 'Paint the old boat'], 'Paint the old boat'],
  [['Ada', 'Ben'], 'Ada / Ben'],
  [['Ada', 'Ben', 'Cleo'], 'Ada / Ben / Cleo'],
  [
    ['Call the bank and wait', 'Buy bread and milk for Sunday'],
    'Call the bank and wait / Buy bread and milk for Sunday',
  ],
  [['Ada', ''], 'Ada'],
  [['', ''], ''],
])('one line of %j starts from %j', (texts, combined) => {
  expect(combineTexts(texts, { isLine: true })).toBe(combined)
})

test.each([
  [['milk\nbread', 'milk\neggs'], 'milk\nbread\neggs'],
  [['milk\n\nbread', 'milk\n\nbread\nbutter'], 'milk\n\nbread\nbutter'],
  [['Berth 7', 'Berth 9'], 'Berth 7\nBerth 9'],
  [['', 'tea'], 'tea'],
])('several lines of %j start from %j', (texts, combined) => {
  expect(combineTexts(texts, { isLine: false })).toBe(combined)
})

test('nothing of any text is left out', () => {
  const texts = ['a b c d', 'c a d b', 'd c b a']
  const lines = texts.map((text) => text.replaceAll(' ', '\n'))
  const combined = combineTexts(lines, { isLine: false }).split('\n')
  for (const line of lines) {
    let at = -1
    for (const part of line.split('\n')) at = combined.indexOf(part, at + 1)
    expect(at).toBeGreaterThanOrEqual(0)
  }
})
