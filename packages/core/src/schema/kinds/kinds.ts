import type { FieldKind } from '../field.ts'
import type { Kind } from './kind.ts'
import { list } from './list.ts'
import { scalarKinds } from './scalar-kinds.ts'
import { set } from './set.ts'

export const kinds: Readonly<Record<FieldKind, Kind>> = { ...scalarKinds, set, list }
