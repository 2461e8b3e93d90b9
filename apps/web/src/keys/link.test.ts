import { newSpaceKey } from '@driftlog/client'
import { expect, test } from 'vitest'
import { keyIn, shareLink, takeKey } from './link.ts'

const key = newSpaceKey()
const address = { origin: 'http://localhost:4000', pathname: '/', search: '?space=work' }

const follow = (hash: string) => {
  const shown: unknown[] = []
  const taken = takeKey({ ...address, hash }, { replaceState: (...change) => void shown.push(change[2]) })
  return { taken, shown }
}

test('the key of a link is taken out of the address, and the rest stays', () => {
  const link = new URL(shareLink(key, address))
  expect(follow(link.hash)).toEqual({ taken: key, shown: ['/?space=work'] })
  expect(follow(link.hash.replace('=', '%3D'))).toEqual({ taken: key, shown: ['/?space=work'] })
})

test('half a key is taken out too, and told', () => {
  expect(follow(`#key=${key.slice(0, -3)}`)).toEqual({ taken: 'slip', shown: ['/?space=work'] })
  expect(follow('#key=')).toEqual({ taken: 'slip', shown: ['/?space=work'] })
})

test('what else is behind the # is left alone', () => {
  for (const hash of ['', '#/due', '#/search/key=3']) expect(follow(hash)).toEqual({ taken: undefined, shown: [] })
})

test('a link and a bare key are understood, with what a message has around them', () => {
  for (const text of [key, ` ${key}\n`, shareLink(key, address), `Here: <${shareLink(key, address)}>.`]) {
    expect(keyIn(text)).toBe(key)
  }
  for (const text of ['', 'dlk1-', 'hello', key.slice(0, -1), `${key}x`]) expect(keyIn(text)).toBeUndefined()
})
