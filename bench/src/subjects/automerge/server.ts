import { type AutomergeUrl, type DocHandle, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import type { Change, Task } from '../../data/tasks.ts'
import { startChild } from '../shared/child.ts'
import type { Connected, Server } from '../subject.ts'
import { assign, type Doc, type Row, rowOf, taskOf } from './rows.ts'
import type { Announcement } from './server-process.ts'

const PROCESS = new URL('./server-process.ts', import.meta.url)

class ConnectedAutomerge implements Connected {
  private readonly repo: Repo
  private readonly handle: DocHandle<Doc>

  constructor(repo: Repo, handle: DocHandle<Doc>) {
    this.repo = repo
    this.handle = handle
  }

  insert(task: Task): void {
    this.handle.change(({ tasks }) => void (tasks[task.id] = rowOf(task)))
  }

  update(id: string, change: Change): void {
    this.handle.change(({ tasks }) => assign(tasks[id], change))
  }

  insertAll(added: readonly Task[]): void {
    this.handle.change(({ tasks }) => {
      for (const task of added) tasks[task.id] = rowOf(task)
    })
  }

  async read(id: string): Promise<Task | undefined> {
    const row: Row | undefined = this.handle.doc().tasks[id]
    return row && taskOf(id, row)
  }

  async count(): Promise<number> {
    return Object.keys(this.handle.doc().tasks).length
  }

  async readAll(): Promise<Task[]> {
    return Object.entries(this.handle.doc().tasks).map(([id, row]) => taskOf(id, row))
  }

  async stored(): Promise<void> {}

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const tell = (): void => {
      const row: Row | undefined = this.handle.doc().tasks[id]
      if (row !== undefined) seen(row.title.toString())
    }
    this.handle.on('change', tell)
    return () => this.handle.off('change', tell)
  }

  /** The server confirms nothing that it does not store. */
  async acknowledged(): Promise<void> {}

  inSync(): Promise<void> {
    return this.handle.whenReady()
  }

  async close(): Promise<void> {
    await this.repo.shutdown()
  }
}

export const startServer = async (): Promise<Server> => {
  const { announcement, end } = await startChild<Announcement>(PROCESS)
  return {
    async connect() {
      const repo = new Repo({ network: [new WebSocketClientAdapter(announcement.url)] })
      return new ConnectedAutomerge(repo, await repo.find<Doc>(announcement.document as AutomergeUrl))
    },
    close: end,
  }
}
