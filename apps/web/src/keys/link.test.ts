import { type InvitationCode, newSpaceKey } from '@driftlog/client'
import { expect, test } from 'vitest'
import { secretIn, shareLink, takeSecret } from './link.ts'

const key = newSpaceKey()
const invitation: InvitationCode =
  'dlv1-hoE0DAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI'
const address = { origin: 'http://localhost:4000', pathname: '/', search: '?space=work' }

const follow = (hash: string) => {
  const shown: unknown[] = []
  const taken = takeSecret({ ...address, hash }, { replaceState: (...change) => void shown.push(change[2]) })
  return { taken, shown }
}

test.each([
  ['#key=', key],
  ['#join=', invitation],
])('what is behind %s is taken out of the address, and the rest stays', (place, secret) => {
  const link = new URL(shareLink(secret, address))
  expect(link.hash).toBe(place + secret)
  expect(follow(link.hash)).toEqual({ taken: secret, shown: ['/?space=work'] })
  expect(follow(link.hash.replace('=', '%3D'))).toEqual({ taken: secret, shown: ['/?space=work'] })
})

test('half a key is taken out too, and told', () => {
  expect(follow(`#key=${key.slice(0, -3)}`)).toEqual({ taken: 'slip', shown: ['/?space=work'] })
  expect(follow('#key=')).toEqual({ taken: 'slip', shown: ['/?space=work'] })
  expect(follow(`#join=${invitation.slice(0, -3)}`)).toEqual({ taken: 'slip', shown: ['/?space=work'] })
})

test('what else is behind the # is left alone', () => {
  for (const hash of ['', '#/due', '#/search/key=3', '#/list/join=3'])
    expect(follow(hash)).toEqual({ taken: undefined, shown: [] })
})

test('a link and a bare key are understood, with what a message has around them', () => {
  for (const text of [key, ` ${key}\n`, shareLink(key, address), `Here: <${shareLink(key, address)}>.`]) {
    expect(secretIn(text)).toBe(key)
  }
  expect(secretIn(`Come in: ${shareLink(invitation, address)}`)).toBe(invitation)
  for (const text of ['', 'dlk1-', 'hello', key.slice(0, -1), `${key}x`]) expect(secretIn(text)).toBeUndefined()
})
