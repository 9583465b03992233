import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Refused } from '@kedge/shared/identity/enrol'
import type { Log } from '@kedge/shared/log'
import { refusalAdvice } from './condition.ts'
import type { Files } from './files.ts'
import { keepRefusal } from './last-refusal.ts'

interface Options {
  /** The data folder. */
  dir: string
  clock: Clock
  log: Log
  files: Files
}

/** Why cloudcore gives this node no certificate, as long as that is so: told once, and written down for people. */
export class Held {
  readonly #options: Options
  #refusal: Refused | undefined
  /** Whether that is written down; what an earlier run wrote may be there. */
  #isWritten = false

  constructor(options: Options) {
    this.#options = options
  }

  get refusal(): Refused | undefined {
    return this.#refusal
  }

  /** Remembers a reason, or that there is none any more. */
  set(refusal: Refused | undefined): void {
    const isKnown = refusal?.code === this.#refusal?.code && this.#isWritten
    this.#refusal = refusal
    if (isKnown) return
    this.#isWritten = true
    const { dir, clock, log, files } = this.#options
    if (refusal !== undefined) log.error({ ...refusal, ...refusalAdvice(refusal.code) }, 'identity refused')
    try {
      const { code, reason } = refusal ?? {}
      keepRefusal(dir, code && reason ? { code, reason, at: clock.now() } : undefined, files)
    } catch (error) {
      log.warn({ reason: explain(error) }, 'refusal not written down')
    }
  }
}
