import { beforeAll, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { createReplica, START_MS, shapes } from '../testing/replicas.test-support.ts'

beforeAll(cryptoReady)

it('[OP6] whoever wrote a group after another’s op writes on: the heads are the group’s first op’s (simulator, seed 11)', () => {
  const [author, other] = [createReplica(1), createReplica(2)]
  other.write(START_MS, other.change(shapes.insert, 'a'))
  for (const batch of other.seal()) author.receive(batch)
  // Two changes too large for one op.
  const long = 'x'.repeat(200_000)
  author.write(START_MS, author.change(shapes.title, 'b', long), author.change(shapes.title, 'c', long))
  expect(author.projected(author.device)).toBe(2)
  expect(author.projector.headsFor(author.device)).toEqual([])
  author.write(START_MS, author.change(shapes.title, 'b', 'and on'))
  for (const batch of author.seal()) other.receive(batch)
  expect(other.projected(author.device)).toBe(3)
  expect(other.digest()).toBe(author.digest())
  expect(other.projector.voidCount).toBe(0)
})
