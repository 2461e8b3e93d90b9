/** What is rare in the state and has a shape of its own (sets, lists, trees, settled conflicts), as it lies in memory. */
import { Packr } from 'msgpackr'

// Maps, sets and what is shared come back as such. Numbers keep all their bits: refs are beyond 2^32.
const packr = new Packr({ structuredClone: true, moreTypes: true, useRecords: true, int64AsType: 'number' })

export const packAny = (state: unknown): Uint8Array => packr.pack(state)

export const unpackAny = (bytes: Uint8Array): unknown => packr.unpack(bytes)
