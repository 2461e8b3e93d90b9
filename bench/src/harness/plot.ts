/** One picture a family: what each cell costs beside one subject. */
import { mkdirSync, writeFileSync } from 'node:fs'
import * as Plot from '@observablehq/plot'
import { Window } from 'happy-dom'
import type { Family, Metric, Row } from './rows.ts'

const IMAGES = new URL('../../../docs/images/', import.meta.url)
const WIDTH = 900
const MARGIN = 110
/** The first that a workload has is drawn: all of them are better when they are less. */
const DRAWN: readonly Metric[] = ['cpu_ms', 'p50_ms']
const NAMES: Partial<Record<Metric, string>> = { cpu_ms: 'ms CPU', p50_ms: 'ms p50' }

export interface Bar {
  readonly workload: string
  readonly subject: string
  readonly ratio: number
}

/** Of workloads that the other subject was measured in. */
export const barsOf = (rows: readonly Row[], against: string): Bar[] =>
  [...new Set(rows.map(({ workload }) => workload))].flatMap((workload) => {
    const own = rows.filter((row) => row.workload === workload)
    const metric = DRAWN.find((one) => own.some((row) => row.metric === one && row.subject === against))
    const base = own.find((row) => row.metric === metric && row.subject === against)
    if (metric === undefined || base === undefined) return []
    return own
      .filter((row) => row.metric === metric)
      .map(({ subject, median }) => ({
        workload: `${workload}, ${NAMES[metric]}`,
        subject,
        ratio: median / base.median,
      }))
  })

export const drawBars = (bars: readonly Bar[], against: string): string => {
  const window = new Window()
  const svg = Plot.plot({
    document: window.document as unknown as Document,
    width: WIDTH,
    marginLeft: MARGIN,
    marginRight: MARGIN * 1.5,
    style: { background: 'white', color: 'black' },
    x: { type: 'log', label: `times ${against}; shorter is better`, grid: true, tickFormat: '~g' },
    y: { label: null },
    fy: { label: null, padding: 0.2 },
    color: { type: 'categorical', scheme: 'observable10' },
    marks: [
      Plot.barX(bars, {
        x1: 1,
        x2: 'ratio',
        y: 'subject',
        fy: 'workload',
        fill: 'subject',
        sort: { fy: null, y: null },
      }),
      Plot.text(bars, {
        x: 'ratio',
        y: 'subject',
        fy: 'workload',
        text: ({ ratio }: Bar) => `${ratio.toPrecision(2)} ×`,
        textAnchor: 'start',
        dx: 4,
      }),
      Plot.ruleX([1]),
    ],
    height: 60 + bars.length * 16,
  })
  const text = svg.outerHTML
  return text.includes('xmlns=') ? text : text.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"')
}

/** The file's name; nothing where there is nothing to compare. */
export const writePlot = (family: Family, rows: readonly Row[], against: string): string | undefined => {
  const bars = barsOf(rows, against)
  if (!bars.some(({ subject }) => subject !== against)) return undefined
  const name = `bench-${family}.svg`
  mkdirSync(IMAGES, { recursive: true })
  writeFileSync(new URL(name, IMAGES), `${drawBars(bars, against)}\n`)
  return name
}
