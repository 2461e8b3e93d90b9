/** What is used of PouchDB. The published types bring an old @types/node, which breaks those of this workspace. */
declare module 'pouchdb-core' {
  export type Found<T> = T & { readonly _id: string; readonly _rev: string }

  interface Database<T> {
    put(doc: T & { _id: string; _rev?: string }): Promise<unknown>
    get(id: string): Promise<Found<T>>
    bulkDocs(docs: readonly (T & { _id: string })[]): Promise<unknown>
    info(): Promise<{ readonly doc_count: number }>
    allDocs(options: { include_docs: true }): Promise<{ readonly rows: readonly { readonly doc: Found<T> }[] }>
    readonly replicate: { to(other: Database<T>): Promise<unknown>; from(other: Database<T>): Promise<unknown> }
    close(): Promise<void>
  }

  const PouchDB: {
    new <T>(name: string, options: { readonly adapter: string }): Database<T>
    plugin(plugin: object): typeof PouchDB
  }
  export default PouchDB
}

declare module 'pouchdb-adapter-memory' {
  const plugin: object
  export default plugin
}

declare module 'pouchdb-replication' {
  const plugin: object
  export default plugin
}
