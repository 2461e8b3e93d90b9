/**
 * Who wrote an op, and when in truth: a log knows neither. Its author id is shared by clones, and its stamp is what a
 * clock that may be off said. So each mutation is written down as it is made, and each op is traced to the first disk that
 * it was on, which is its author's.
 */
import { type Batch, Keyring, OpLog, Projector } from '@driftlog/core'
import { SPACE } from '../simulator/disk-copy.ts'

export interface Origin {
  /** Index of the device of the scenario. */
  readonly machine: number
  /** Virtual time; undefined where the app did not write it through the scenario. */
  readonly atMs: number | undefined
}

interface Written {
  readonly device: string
  readonly fromSeq: number
  readonly toSeq: number
  readonly atMs: number
}

export class Origins {
  readonly #written = new Map<number, Written[]>()
  readonly #byOp = new Map<string, Origin>()
  readonly #known = new Set<string>()
  /** Opens batches, and holds none. */
  readonly #opener = new OpLog(Keyring.unencrypted(SPACE), new Projector())

  /** A mutation was made: ops `[fromSeq, toSeq]` of `device`. */
  wrote(machine: number, device: string, fromSeq: number, toSeq: number, atMs: number): void {
    const written = this.#written.get(machine) ?? []
    this.#written.set(machine, written)
    written.push({ device, fromSeq, toSeq, atMs })
  }

  /** Batches became durable on a device. The first to have one is its author. */
  appended(machine: number, batches: readonly Batch[]): void {
    for (const batch of batches) {
      const { device, fromSeq, tagAfter } = batch.header
      const key = `${device}/${fromSeq}/${tagAfter.join()}`
      if (this.#known.has(key)) continue
      this.#known.add(key)
      for (const { run } of this.#opener.open(batch).runs ?? []) {
        run.hlc.forEach((hlc, op) => {
          const seq = run.fromSeq + op
          this.#byOp.set(opKey(device, seq, hlc), { machine, atMs: this.#whenWritten(machine, device, seq) })
        })
      }
    }
  }

  /** The last one: a device that was set back writes under the same seqs again. */
  #whenWritten(machine: number, device: string, seq: number): number | undefined {
    const written = this.#written.get(machine)
    return written?.findLast((one) => one.device === device && one.fromSeq <= seq && seq <= one.toSeq)?.atMs
  }

  /** Ops that a device had durably, by device of the scenario, and that are not in a log any more. */
  missingIn(log: ReadonlySet<string>): Map<number, number> {
    const missing = new Map<number, number>()
    for (const [key, { machine }] of this.#byOp) {
      if (!log.has(key)) missing.set(machine, (missing.get(machine) ?? 0) + 1)
    }
    return missing
  }

  /** `hlc`: as it was written. */
  of(device: string, seq: number, hlc: number): Origin | undefined {
    return this.#byOp.get(opKey(device, seq, hlc))
  }
}

/** An op wherever it turns up, whatever branch it is in. */
export const opKey = (device: string, seq: number, hlc: number): string => `${device}/${seq}/${hlc}`
