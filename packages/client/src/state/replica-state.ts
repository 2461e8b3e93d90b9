/**
 * What a replica has in memory of its store: the log, what is projected of it, and who writes. Where branches get other names
 * or stamps are shifted it is read anew and takes the place of the one before, in one step (SPEC BR1, BR2).
 */
import type { OpLog, Projector, Writer } from '@driftlog/core'
import { Subject } from 'rxjs'

export interface LogParts {
  readonly log: OpLog
  readonly projector: Projector
  readonly writer: Writer
}

export class ReplicaState {
  #parts: LogParts
  /** After each replacement. Whoever keeps anything of the old parts lets go of it now. */
  readonly replaced = new Subject<void>()

  constructor(parts: LogParts) {
    this.#parts = parts
  }

  get log(): OpLog {
    return this.#parts.log
  }

  get projector(): Projector {
    return this.#parts.projector
  }

  get writer(): Writer {
    return this.#parts.writer
  }

  replace(parts: LogParts): void {
    this.#parts = parts
    this.replaced.next()
  }
}
