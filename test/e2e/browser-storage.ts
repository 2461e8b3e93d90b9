/** What a browser keeps of the app, as bytes: every value of every IndexedDB store, and localStorage. */
import type { Page } from 'playwright-core'

export const storedBytes = async (page: Page): Promise<Buffer> => {
  const parts = await page.evaluate(async () => {
    const answer = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error ?? new Error('IndexedDB'))
      })
    const parts: string[] = [JSON.stringify(Object.entries(localStorage))]
    const add = (value: unknown): void => {
      if (value instanceof ArrayBuffer) parts.push(String.fromCharCode(...new Uint8Array(value)))
      else if (ArrayBuffer.isView(value)) add(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength))
      else if (typeof value === 'string') parts.push(String.fromCharCode(...new TextEncoder().encode(value)))
      else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) add(part)
      else parts.push(String(value))
    }
    for (const { name } of await indexedDB.databases()) {
      const database = await answer(indexedDB.open(name ?? ''))
      for (const store of database.objectStoreNames) {
        const rows = database.transaction(store).objectStore(store)
        add(await answer(rows.getAllKeys()))
        add(await answer(rows.getAll()))
      }
      database.close()
    }
    return parts
  })
  return Buffer.from(parts.join('\n'), 'latin1')
}

/** Changes one byte of a record, as a bad disk would. */
export const damageRecord = (page: Page, space: string, key: string): Promise<void> =>
  page.evaluate(
    async ({ space, key }) => {
      const answer = <T>(request: IDBRequest<T>): Promise<T> =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error ?? new Error('IndexedDB'))
        })
      const database = await answer(indexedDB.open('driftlog-space-demo'))
      const records = database.transaction('record', 'readwrite').objectStore('record')
      const row = await answer<{ value: Uint8Array }>(records.get([space, key]))
      row.value[9] ^= 1
      await answer(records.put(row))
      database.close()
    },
    { space, key },
  )
