// @vitest-environment happy-dom
import { openReplica, type Replica } from '@driftlog/client'
import { defineSchema, f, memoryStore, systemPorts, table } from '@driftlog/core'
import { Component, type ReactNode, StrictMode, useEffect } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { tap } from 'rxjs'
import { afterEach, beforeEach, expect, expectTypeOf, test, vi } from 'vitest'
import { createReplicaHooks } from './hooks.tsx'

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table({
      owner: f.string().optional().manual(),
      title: f.string(),
      done: f.boolean().default(false),
      list: f.ref('lists').optional(),
    }),
  },
})
type TestSchema = typeof schema

const { ReplicaProvider, useCandidates, useConflicts, useQuery, useReplica, useStatus, useUndo } =
  createReplicaHooks<TestSchema>()

let replica: Replica<TestSchema>
let container: HTMLElement
let root: Root

beforeEach(async () => {
  replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store: memoryStore() })
  container = document.createElement('div')
  root = createRoot(container)
})

afterEach(async () => {
  root.unmount()
  await replica.close()
})

const show = (children: ReactNode) =>
  root.render(
    <StrictMode>
      <ReplicaProvider replica={replica}>{children}</ReplicaProvider>
    </StrictMode>,
  )

/** Waits for what comes by itself, as in a browser: React's `act` would hide a result that comes at a wrong time. */
const becomes = (text: string) => vi.waitFor(() => expect(container.textContent).toBe(text))

const Titles = ({ done }: { readonly done: boolean }) => {
  const tasks = useQuery((db) => db.selectFrom('tasks').select('title').where('done', '=', done), [done])
  expectTypeOf(tasks).toEqualTypeOf<readonly { title: string }[] | undefined>()
  return <p>{tasks === undefined ? '…' : tasks.map(({ title }) => title).join(', ')}</p>
}

test('useQuery shows the rows, and follows the mutations and what it closes over', async () => {
  const milk = replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' })).value
  show(<Titles done={false} />)
  await becomes('Milk')

  replica.mutate((tx) => tx.tasks.insert({ title: 'Bread' }))
  await becomes('Milk, Bread')

  replica.mutate((tx) => tx.tasks.update(milk, { done: true }))
  await becomes('Bread')
  show(<Titles done={true} />)
  await becomes('Milk')
})

test('useQuery is undefined until the first result, also of another query', async () => {
  const seen: string[] = []
  const Probe = ({ done }: { readonly done: boolean }) => {
    const tasks = useQuery((db) => db.selectFrom('tasks').select('title').where('done', '=', done), [done])
    seen.push(`${done}: ${tasks?.map(({ title }) => title).join() ?? 'undefined'}`)
    return null
  }
  replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' }))
  show(<Probe done={false} />)
  await vi.waitFor(() => expect(seen.at(-1)).toBe('false: Milk'))
  show(<Probe done={true} />)
  await vi.waitFor(() => expect(seen.at(-1)).toBe('true: '))
  expect(seen[0]).toBe('false: undefined')
  expect(seen).toContain('true: undefined')
  expect(seen).not.toContain('true: Milk')
})

test('a change that alters nothing in the result renders nothing, and unchanged rows keep their identity', async () => {
  const results: (readonly object[])[] = []
  const Probe = () => {
    const rows = useQuery((db) => db.selectFrom('tasks').select(['id', 'title']).orderBy('title'), [])
    if (rows !== undefined && results.at(-1) !== rows) results.push(rows)
    return <p>{rows?.length}</p>
  }
  const bread = replica.mutate((tx) => tx.tasks.insert({ title: 'Bread' })).value
  show(<Probe />)
  await becomes('1')
  replica.mutate((tx) => tx.tasks.update(bread, { done: true }))
  replica.mutate((tx) => tx.lists.insert({ name: 'Other table' }))
  replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' }))
  await becomes('2')
  expect(results).toHaveLength(2)
  expect(results[1]?.[0]).toBe(results[0]?.[0])
})

test('a query that fails throws to the error boundary', async () => {
  class Boundary extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
    override state = { failed: false }
    static getDerivedStateFromError = () => ({ failed: true })
    override render() {
      return this.state.failed ? <p>caught</p> : this.props.children
    }
  }
  const Broken = () => {
    // @ts-expect-error there is no such table
    useQuery((db) => db.selectFrom('nothing').selectAll(), [])
    return <p>fine</p>
  }
  const silenced = vi.spyOn(console, 'error').mockImplementation(() => {})
  show(
    <Boundary>
      <Broken />
    </Boundary>,
  )
  await becomes('caught')
  silenced.mockRestore()
})

test('nothing listens any more after the component is gone', async () => {
  let listening = 0
  const watch = replica.watch.bind(replica)
  vi.spyOn(replica, 'watch').mockImplementation((query) =>
    watch(query).pipe(tap({ subscribe: () => (listening += 1), unsubscribe: () => (listening -= 1) })),
  )
  replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' }))
  show(<Titles done={false} />)
  await becomes('Milk')
  expect(listening).toBe(1)
  show(<Titles done={true} />)
  await becomes('')
  expect(listening).toBe(1)
  show(<p>gone</p>)
  await becomes('gone')
  // React lets go of what is gone after it has shown the rest.
  await vi.waitFor(() => expect(listening).toBe(0))
})

test('useStatus follows the status', async () => {
  const Probe = () => {
    const { summary, pending, unsaved } = useStatus()
    return <p>{`${summary}, ${pending} pending, ${unsaved} unsaved`}</p>
  }
  show(<Probe />)
  await becomes('offline, 0 pending, 0 unsaved')
  await replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' })).stored
  await becomes('offline, 1 pending, 0 unsaved')
})

test('useCandidates gives the values of a field, the same array as long as they are the same', async () => {
  const seen = new Set<unknown>()
  const Probe = ({ id }: { readonly id: string }) => {
    const candidates = useCandidates('tasks', id, 'title')
    seen.add(candidates)
    return <p>{candidates.map(({ value }) => String(value)).join('|')}</p>
  }
  const id = replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' })).value
  show(<Probe id={id} />)
  await becomes('Milk')
  replica.mutate((tx) => tx.lists.insert({ name: 'Unrelated' }))
  await becomes('Milk')
  const before = seen.size
  replica.mutate((tx) => tx.tasks.update(id, { title: 'Oat milk' }))
  await becomes('Oat milk')
  expect(seen.size).toBe(before + 1)
})

test('useCandidates gives another value of the same author that was written in the same millisecond', async () => {
  const atMs = Date.now()
  vi.spyOn(systemPorts.clock, 'now').mockReturnValue(atMs)
  const Probe = () => <p>{useCandidates('tasks', 'x', 'owner').map(({ value }) => String(value))}</p>
  replica.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'Milk', owner: 'Ann' }))
  show(<Probe />)
  await becomes('Ann')
  replica.mutate((tx) => tx.tasks.update('x', { owner: 'Bob' }))
  await becomes('Bob')
  vi.restoreAllMocks()
})

/** Another device that knows the task, and names an owner for it. */
const disagree = async (id: string) => {
  const other = await openReplica({ schema, space: 'home', key: 'unencrypted', store: memoryStore() })
  await other.import(await replica.export())
  other.mutate((tx) => tx.tasks.update(id, { owner: 'Bob' }))
  const batches = await other.export()
  await other.close()
  return () => replica.import(batches)
}

test('useConflicts gives what is concurrent, of all or of one row; useCandidates follows what comes in', async () => {
  const seen = new Set<unknown>()
  const Probe = ({ id }: { readonly id: string }) => {
    const conflicts = useConflicts({ table: 'tasks', rowId: id })
    seen.add(conflicts)
    const others = useConflicts({ rowId: 'another' })
    const candidates = useCandidates('tasks', id, 'owner').map(({ value }) => String(value))
    return <p>{`${conflicts.length} ${useConflicts().length} ${others.length} ${candidates.join('|')}`}</p>
  }
  const id = replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' })).value
  const arrive = await disagree(id)
  show(<Probe id={id} />)
  await becomes('0 0 0 ')
  replica.mutate((tx) => tx.tasks.update(id, { owner: 'Ann' }))
  await becomes('0 0 0 Ann')
  await arrive()
  await vi.waitFor(() => expect(container.textContent).toMatch(/^1 1 0 (Ann\|Bob|Bob\|Ann)$/))
  const before = seen.size
  replica.mutate((tx) => tx.tasks.update(id, { title: 'Oat milk' }))
  await vi.waitFor(() => expect(replica.candidates('tasks', id, 'title')[0]?.value).toBe('Oat milk'))
  replica.resolve(replica.conflicts[0]!, 'Bob', 'he is there')
  await becomes('0 0 0 Bob')
  expect(seen.size).toBe(before + 1)
})

test('useUndo takes back and makes again, and says whether it can', async () => {
  const acts: ReturnType<typeof useUndo>[] = []
  const Probe = () => {
    const undo = useUndo()
    useEffect(() => void acts.push(undo), [undo])
    return <p>{`${undo.canUndo} ${undo.canRedo}`}</p>
  }
  show(<Probe />)
  await becomes('false false')
  replica.mutate((tx) => tx.tasks.insert({ title: 'Milk' }))
  await becomes('true false')
  acts.at(-1)!.undo()
  await becomes('false true')
  acts.at(-1)!.redo()
  await becomes('true false')
})

test('a hook outside of a provider says what is missing', async () => {
  const Lost = () => {
    expect(() => useReplica()).toThrow('ReplicaProvider')
    return <p>told</p>
  }
  root.render(<Lost />)
  await becomes('told')
})
