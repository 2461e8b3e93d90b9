import { runSchedule } from './src/simulator/mod.ts'
import { World } from './src/simulator/world.ts'
let w: any
const o = World.prototype.isSettled
World.prototype.isSettled = function () { w = this; return o.call(this) }
;(globalThis as any).DBG = Number(process.argv[3])
const r = await runSchedule(Number(process.argv[2]), { options: { members: true } })
for (const m of w.machines) for (const t of m.tabs) {
  const rep = t.replica
  console.log(m.index, m.installation, rep?.members?.list.role, rep?.members?.list.members.map((x:any)=>x.role).join(), JSON.stringify(rep?.status), t.isIdle)
}
console.log(r.violations.map((v:any)=>v.checker+' '+v.message.slice(0,200)))
