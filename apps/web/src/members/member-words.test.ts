import { DriftlogError } from '@driftlog/core'
import { expect, test } from 'vitest'
import { devicesInWords, memberNames, membersProblem } from './member-words.ts'

test('a member is called by the names that were given on their devices', () => {
  const people = [
    { name: 'Ada', member: 'a' },
    { name: 'Ada', member: 'a' },
    { name: 'Ada L.', member: 'a' },
    { name: '', member: '_b-c4' },
    { name: 'Nobody', member: undefined },
  ]
  const names = (isMe: boolean) =>
    memberNames(
      [
        { id: 'a', isMe: false },
        { id: '_b-c4d5e', isMe },
      ],
      people,
    )
  expect([...names(false).values()]).toEqual(['Ada, Ada L.', 'Member BC4D'])
  expect(names(true).get('_b-c4d5e')).toBe('You')
  expect([1, 2].map(devicesInWords)).toEqual(['1 device', '2 devices'])
})

test('somebody who takes the name of another is told apart', () => {
  const people = [
    { name: 'Ada', member: 'a1' },
    { name: 'Ada', member: 'b2' },
  ]
  const members = ['a1', 'b2'].map((id) => ({ id, isMe: false }))
  expect([...memberNames(members, people).values()]).toEqual(['Ada (A1)', 'Ada (B2)'])
})

test.each([
  [new DriftlogError('UNAVAILABLE'), 'does not answer just now'],
  [new DriftlogError('INVITATION_INVALID'), 'lets nobody in any more'],
  [new DriftlogError('MEMBERS_REFUSED', '', { why: 'the last admin' }), 'Make somebody else one first'],
  [new DriftlogError('MEMBERS_REFUSED', '', { why: 'only an admin' }), 'may not do this any more'],
  [new DriftlogError('MEMBERS_FORKED'), 'another space under this name'],
  [new Error('The disk is full.'), 'The disk is full.'],
])('%s is told as a sentence', (error, words) => {
  expect(membersProblem(error)).toContain(words)
})
