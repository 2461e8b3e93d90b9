import type { MemberInfo, MemberList } from '@driftlog/client'
import { expect, test } from 'vitest'
import { standingIn } from './standing.ts'

const device = { id: 'd', isThis: true, isRetired: false }
const me: MemberInfo = { id: 'a', role: 'admin', isMe: true, installations: [device] }
const other: MemberInfo = { id: 'b', role: 'admin', isMe: false, installations: [] }
const alone: MemberList = { members: [me], invitations: [], role: 'admin', history: 'keep' }
const invited = { id: 'i', role: 'reader', member: undefined, expires: new Date(0) } as const
const error = (code: 'NOT_A_MEMBER' | 'MEMBERS_FORKED' | 'FORBIDDEN') => ({ code, message: '' })

test('what the list says counts where nothing stands in the way', () => {
  expect(standingIn(undefined, error('NOT_A_MEMBER'))).toBe('writes')
  expect(standingIn(alone, undefined)).toBe('writes')
  expect(standingIn({ ...alone, role: 'reader' }, error('FORBIDDEN'))).toBe('reads')
  expect(standingIn({ ...alone, role: undefined }, undefined)).toBe('out')
})

test('who let in nobody can have been removed by nobody: then the space was begun twice', () => {
  expect(standingIn(alone, error('NOT_A_MEMBER'))).toBe('forked')
  for (const list of [
    { ...alone, members: [me, other] },
    { ...alone, invitations: [invited] },
    { ...alone, members: [{ ...me, installations: [device, { ...device, id: 'e' }] }] },
    { ...alone, role: 'writer' as const },
  ])
    expect(standingIn(list, error('NOT_A_MEMBER'))).toBe('out')
  expect(standingIn({ ...alone, members: [me, other] }, error('MEMBERS_FORKED'))).toBe('forked')
})
