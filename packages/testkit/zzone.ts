import { runSchedules } from './src/simulator/mod.ts'
const [from, count] = process.argv.slice(2).map(Number)
let done = 0
const t0 = Date.now()
await runSchedules({
  from,
  count,
  options: { members: true, ...(process.argv[4] ? JSON.parse(process.argv[4]) : {}) },
  onResult: (r) => {
    done++
    if (!r.ok) {
      console.log('seed', r.options.seed)
      for (const v of r.violations.slice(0, 4)) console.log('  ', v.checker, v.message.slice(0, 600))
    }
  },
})
console.log(done, 'done', ((Date.now() - t0) / 1000).toFixed(1))
