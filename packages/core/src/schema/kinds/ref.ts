import type { Kind } from './kind.ts'
import { string } from './string.ts'

// An id is a string; whether its row exists is never asked, because that row may arrive later or return.
export const ref: Kind = string
