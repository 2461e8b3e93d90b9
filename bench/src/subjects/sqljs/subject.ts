import { documentAbilities } from '../shared/documents.ts'
import type { Subject } from '../subject.ts'
import { AutocommitDevice } from './autocommit.ts'
import { GuardedDevice } from './guarded.ts'

export const sqljs: Subject = { openInMemory: async () => new AutocommitDevice() }

const { openInMemory, openGroup, cold, openReader } = documentAbilities({
  create: () => new GuardedDevice(),
  load: (saved) => new GuardedDevice(saved),
})

export const sqljsGuarded: Subject = { openInMemory, openGroup, cold, openReader }
