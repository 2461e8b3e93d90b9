import { DatabaseSync } from 'node:sqlite'
import { createSqliteNodePersister, type SqliteNodePersister } from 'tinybase/persisters/persister-sqlite-node'
import { TinyDevice } from './device.ts'

/** Saved when it is asked what is stored: a save writes the whole state. */
export class DurableTiny extends TinyDevice {
  private readonly database: DatabaseSync
  private readonly persister: SqliteNodePersister

  constructor(path: string) {
    super()
    this.database = new DatabaseSync(path)
    this.database.exec('pragma journal_mode = wal; pragma synchronous = full')
    this.persister = createSqliteNodePersister(this.store, this.database)
  }

  override async stored(): Promise<void> {
    await this.persister.save()
  }

  override async close(): Promise<void> {
    await this.persister.destroy()
    this.database.close()
  }
}
