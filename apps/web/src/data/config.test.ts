import { expect, test } from 'vitest'
import { chooseSpace, type Config } from './config.ts'

const config: Config = { space: 'home', spaces: ['work'], url: 'http://localhost/', token: 't' }

test.each([
  ['', { space: 'home' }],
  ['?space=home', { space: 'home' }],
  ['?space=work', { space: 'work' }],
  ['?space=other', { refused: 'other' }],
  ['?space=', { refused: '' }],
])('%j opens what the server offers', (query, choice) => {
  expect(chooseSpace(config, query)).toEqual(choice)
})
