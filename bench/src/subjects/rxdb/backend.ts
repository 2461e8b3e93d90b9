/** A backend in the same process: a collection behind the handlers of the replication protocol, with rows as JSON between. */
import { defaultConflictHandler, type RxReplicationWriteToMasterRow, rxStorageInstanceToReplicationHandler } from 'rxdb'
import { replicateRxCollection, type RxReplicationState } from 'rxdb/plugins/replication'
import type { Task } from '../../data/tasks.ts'
import type { RxDevice } from './device.ts'

const ROWS_A_MESSAGE = 1_000

type Checkpoint = object
export type Replication = RxReplicationState<Task, Checkpoint>

export interface Backend {
  readonly sent: Uint8Array[]
  /** What the backend sent. */
  readonly answered: Uint8Array[]
  connect(device: RxDevice): Replication
}

const throughJson = <T>(value: T, counted: Uint8Array[]): T => {
  const text = JSON.stringify(value)
  counted.push(new TextEncoder().encode(text))
  return JSON.parse(text) as T
}

export const openBackend = (collection: RxDevice): Backend => {
  const handler = rxStorageInstanceToReplicationHandler<Task, Checkpoint>(
    collection.tasks.storageInstance as never,
    defaultConflictHandler as never,
    'bench',
  )
  const [sent, answered]: [Uint8Array[], Uint8Array[]] = [[], []]
  return {
    sent,
    answered,
    connect: (device) =>
      replicateRxCollection<Task, Checkpoint>({
        collection: device.tasks,
        replicationIdentifier: 'bench',
        live: true,
        waitForLeadership: false,
        push: {
          batchSize: ROWS_A_MESSAGE,
          handler: (rows) => handler.masterWrite(throughJson(rows as RxReplicationWriteToMasterRow<Task>[], sent)),
        },
        pull: {
          batchSize: ROWS_A_MESSAGE,
          handler: async (checkpoint, limit) =>
            throughJson(await handler.masterChangesSince(checkpoint, limit), answered) as never,
        },
      }),
  }
}
