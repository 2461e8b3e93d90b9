import { expect, test } from 'vitest'
import { parseRoute, type Route, routeHash } from './route.ts'

test.each<Route>([
  { place: { kind: 'all' }, show: 'open', task: undefined },
  { place: { kind: 'due' }, show: 'all', task: 'a' },
  { place: { kind: 'inbox' }, show: 'done', task: undefined },
  { place: { kind: 'undecided' }, show: 'all', task: 'a' },
  { place: { kind: 'list', id: 'a/b?c#d' }, show: 'open', task: 'x&y=z' },
  { place: { kind: 'search', text: '100 % “water” / Öl' }, show: 'all', task: undefined },
])('an address leads back to where it was made: %j', (route) => {
  expect(parseRoute(routeHash(route))).toEqual(route)
})

test.each(['', '#', '#/nowhere', '#/list', '#/search/', '#/list/?show=some'])('%j leads to all tasks', (hash) => {
  expect(parseRoute(hash)).toEqual({ place: { kind: 'all' }, show: 'open', task: undefined })
})

test('an address that was typed by hand does not throw', () => {
  expect(parseRoute('#/search/100%').place).toEqual({ kind: 'search', text: '100%' })
})
