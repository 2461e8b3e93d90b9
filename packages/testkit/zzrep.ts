import { replay } from './src/simulator/mod.ts'
const r = await replay(Number(process.argv[2]), { options: { members: true } })
for (const l of r.lines) console.log(l)
