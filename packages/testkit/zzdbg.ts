import { runSchedule } from './src/simulator/mod.ts'
import { World } from './src/simulator/world.ts'
let w: any
import { OpLog } from '@driftlog/core'
const logs = new Set<any>()
const ob = OpLog.prototype.backlog
OpLog.prototype.backlog = function (this: any) { const r = ob.call(this); if (r.waiting > 0) logs.add(this); return r }
const o = World.prototype.isSettled
World.prototype.isSettled = function () {
  w = this
  return o.call(this)
}
;(globalThis as any).DBG = Number(process.argv[3])
const r = await runSchedule(Number(process.argv[2]), { options: { members: true } })
for (const m of w.machines)
  for (const t of m.tabs) {
    const rep = t.replica
    console.log(
      m.index,
      m.installation,
      rep?.members?.list.role,
      rep?.members?.list.members.map((x: any) => x.role).join(),
      JSON.stringify(rep?.status),
      t.isIdle,
    )
  }
console.log(r.violations.map((v: any) => v.checker + ' ' + v.message.slice(0, 200)))
for (const m of w.machines) for (const t of m.tabs) {
  const rep = t.replica
  if (!rep || rep.status.waiting === 0) continue
  const held = rep.held(), proj = rep.projected()
  console.log(m.index, 'held', [...held].filter(([d, s]: any) => proj.get(d) !== s).map(([d, s]: any) => `${d}:${s}/${proj.get(d)}`))
  const batches = await m.disk.durable.readAfter('home', { position: 0, tag: new Uint8Array(0) }, { batches: 1e6, bytes: 1e9 })
  console.log((await m.disk.durable.records('home', 'member/')).length, (globalThis as any).LOGS?.length)
}

for (const l of logs) { const b = l.backlog(); if (b.waiting === 0) continue; for (const br of l.saved.branches) if (br.queue.length > 0) { const q = br.queue[0]; console.log('WAIT', br.id, br.device, br.held, q.opened?.run.fromSeq, q.opened?.run.membership, 'len', l.members?.length, 'await', l.isAwaitingMembers, br.stuck?.code, q.opened?.run.devices, q.opened?.run.headSeq, q.opened?.run.keyEpoch) } }
console.log('server', (await w.server.disk.durable.records('home', 'member/')).length)
for (const m of w.machines) console.log(m.index, (await m.disk.durable.records('home', 'member/')).length, m.tabs.map((t: any) => t.replica?.members && (t.replica.members as any).list.members.length))
