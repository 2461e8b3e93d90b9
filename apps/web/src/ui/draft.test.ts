import { describe, expect, test } from 'vitest'
import { type Draft, follow, isUnsent, type } from './draft.ts'

const typed = type(undefined, 'Milk', 'Milk and')
const sent: Draft = { base: 'Milk', text: 'Milk and', sent: 'Milk and' }

describe('a draft over a value', () => {
  test('is what was typed, and unsent until it is committed', () => {
    expect(typed).toEqual({ base: 'Milk', text: 'Milk and', sent: undefined })
    expect(isUnsent(typed)).toBe(true)
    expect(isUnsent(sent)).toBe(false)
    expect(isUnsent(undefined)).toBe(false)
    expect(isUnsent(type(undefined, 'Milk', 'Milk'))).toBe(false)
  })

  test('stays as long as the value does not move', () => {
    expect(follow(typed, 'Milk')).toBe(typed)
    expect(follow(sent, 'Milk')).toBe(sent)
  })

  test('ends when what was committed has become the value', () => {
    expect(follow(sent, 'Milk and')).toBeUndefined()
  })

  test('goes on over what was committed when more was typed meanwhile', () => {
    const more = type(sent, 'Milk', 'Milk and bread')
    expect(isUnsent(more)).toBe(true)
    expect(follow(more, 'Milk and')).toEqual({ base: 'Milk and', text: 'Milk and bread', sent: undefined })
  })

  test('does not give way to a value of another device', () => {
    expect(follow(typed, 'Oat milk')).toBe(typed)
    expect(isUnsent(typed)).toBe(true)
  })

  test('gives way where another value is shown instead of the committed one, for nothing typed is lost', () => {
    expect(follow(sent, 'Oat milk')).toBeUndefined()
  })

  test('ends where the other device wrote the same', () => {
    expect(follow(typed, 'Milk and')).toBeUndefined()
  })
})
