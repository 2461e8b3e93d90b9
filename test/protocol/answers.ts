/** What the drivers of both sides do, in short: the store's answers to the questions of the machines. */
import {
  type BatchStore,
  branchesInTheWay,
  type ClientEffect,
  type ClientInput,
  type Cursor,
  decodeTips,
  DriftlogError,
  placeTips,
  pointsOf,
  readAdmission,
  type RefusedBranch,
  type Role,
  type ServerEffect,
  type ServerInput,
} from '@driftlog/core'
import type { SimClient } from './sim-client.ts'
import { allOf, SPACE, treeOf } from './stores.ts'

/** So that short histories take several questions to find where they part. */
const FEW_POINTS = 3

export type ClientQuestion = ClientEffect & { kind: 'place' | 'readPoints' | 'readOutbox' | 'ingest' }

/** Nothing where the question is about a branch that is gone: the renaming is told anyway. */
export const answerClient = async (client: SimClient, effect: ClientQuestion): Promise<ClientInput | undefined> => {
  const { request } = effect
  const { store } = client
  switch (effect.kind) {
    case 'place': {
      const tree = treeOf(await allOf(store))
      return { kind: 'placed', request, ...placeTips(decodeTips(effect.tips), tree, new Set([client.device.device])) }
    }
    case 'readPoints': {
      const points = pointsOf(treeOf(await allOf(store)), effect, FEW_POINTS)
      return points && { kind: 'pointsRead', request, ...points }
    }
    case 'readOutbox': {
      const { batches, more } = await store.readAbove(SPACE, effect.above, effect.limit)
      return { kind: 'outboxRead', request, batches, more }
    }
    case 'ingest':
      return ingest(client, effect)
  }
}

const ingest = async (
  client: SimClient,
  { request, batches, cursor }: ClientEffect & { kind: 'ingest' },
): Promise<ClientInput> => {
  const { store } = client
  const outcomes = await store.append(SPACE, batches)
  const tree = treeOf(await allOf(store))
  const refused = batches.flatMap(({ header }, index): RefusedBranch[] => {
    const outcome = outcomes[index]
    const { device } = header
    if (outcome.kind === 'gap') return [{ branch: device, device, code: 'GAP', details: { have: outcome.have } }]
    if (outcome.kind === 'below') {
      return [{ branch: device, device, code: 'BELOW_BASE', details: { floor: outcome.floor } }]
    }
    if (outcome.kind !== 'fork') return []
    const details = { have: outcome.have }
    return branchesInTheWay(tree, header).map((branch) => ({ branch, device, code: 'FORK', details }))
  })
  const taken = outcomes.flatMap((outcome, index) =>
    'branch' in outcome ? [{ branch: outcome.branch, toSeq: batches[index].header.toSeq }] : [],
  )
  const isRenamed = outcomes.some((outcome) => outcome.kind === 'appended' && outcome.isSplit)
  if (refused.length === 0) client.cursor = cursor
  return { kind: 'stored', request, held: await store.vector(SPACE), taken, isRenamed, refused }
}

interface Asked {
  readonly store: BatchStore
  readonly role: Role
  readonly serverTimeMs: number | undefined
}

export const answerServer = async (
  { store, role, serverTimeMs }: Asked,
  effect: ServerEffect,
): Promise<ServerInput> => {
  try {
    switch (effect.kind) {
      case 'authorize':
        return { kind: 'authorized', role, serverTimeMs }
      case 'look': {
        const end = await store.end(SPACE)
        const tips = await store.tips(SPACE)
        return { kind: 'looked', end, tips, cursorValid: await isValid(store, effect.cursor) }
      }
      case 'readAdmission':
        return readAdmission(store, SPACE, effect)
      case 'append': {
        const { batches, records, allOrNothing } = effect
        return { kind: 'appended', outcomes: await store.append(SPACE, batches, { records, allOrNothing }) }
      }
      case 'findCommon':
        return { kind: 'commonFound', seq: await store.common(SPACE, effect.device, effect.points) }
      case 'readAbove':
        return { kind: 'pageRead', page: await store.readAbove(SPACE, effect.vector, smaller(effect.limit)) }
      case 'readAfter':
        return { kind: 'pageRead', page: await store.readAfter(SPACE, effect.cursor, smaller(effect.limit)) }
      case 'readEntries':
      case 'propose':
      case 'call':
      case 'watch':
      case 'send':
      case 'close':
        throw new Error('no question')
    }
  } catch (error) {
    if (error instanceof DriftlogError) return { kind: 'storeFailed', code: error.code }
    throw error
  }
}

// Small pages, so that short histories have many.
const smaller = ({ bytes }: { readonly bytes: number }): { batches: number; bytes: number } => ({ batches: 3, bytes })

const isValid = async (store: BatchStore, cursor: Cursor | undefined): Promise<boolean> => {
  if (cursor === undefined) return false
  try {
    await store.readAfter(SPACE, cursor, { batches: 1, bytes: 1 })
    return true
  } catch {
    return false
  }
}
