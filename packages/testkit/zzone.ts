import { cryptoReady } from '@driftlog/core'
import { runSchedules } from './src/simulator/mod.ts'
await cryptoReady()
const options = { tabs: 1, burst: 40, devices: 5, ops: 225, faults: 42 }
await runSchedules({
  from: Number(process.argv[2]),
  count: Number(process.argv[3] ?? 1),
  options,
  onResult: (...args: any[]) => {
    const r: any = args.find((a) => a && typeof a === 'object')
    if (r.violations.length) console.log(r.options.seed, JSON.stringify(r.violations).slice(0, 3000))
  },
} as any)
console.log('done')
