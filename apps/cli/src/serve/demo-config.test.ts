import { jwt } from '@driftlog/server'
import { expect, test } from 'vitest'
import { demoConfig, isLoopback } from './demo-config.ts'

const secret = 'a secret of at least thirty-two characters'
const ask = (url: string, onlyLoopback: boolean, method = 'GET') =>
  demoConfig(secret, 'demo', onlyLoopback)(new Request(url, { method }))

test('a fresh token for the demo space, and for no other', async () => {
  const response = await ask('http://localhost:4000/config.json', true)
  expect(response?.headers.get('cache-control')).toBe('no-store')
  const { space, url, token }: Record<string, string> = JSON.parse((await response?.text()) ?? '{}')
  expect([space, url]).toEqual(['demo', '/'])
  const grant = await jwt({ secret }).check(token, Date.now())
  expect([grant?.roleIn('demo'), grant?.roleIn('other')]).toEqual(['writer', undefined])
})

test('only who reaches this machine by a name of its own is told, where it listens on loopback', async () => {
  expect(await ask('http://evil.example:4000/config.json', true)).toBeUndefined()
  expect(await ask('http://127.0.0.1:4000/config.json', true)).toBeDefined()
  expect(await ask('http://laptop.local:4000/config.json', false)).toBeDefined()
  expect(await ask('http://localhost:4000/other', true)).toBeUndefined()
  expect(await ask('http://localhost:4000/config.json', true, 'POST')).toBeUndefined()
  expect(['127.0.0.1', 'localhost', '::1', '0.0.0.0', '192.168.1.5'].map(isLoopback)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})
