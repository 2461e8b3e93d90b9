export { indexedDb, type IndexedDbOptions, type IndexedDbStore } from './indexeddb-store.ts'
