import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { BuiltInCa } from './built-in.ts'
import type { Pair, ServerNames } from './certificates.ts'
import { validityOf } from './chain.ts'
import type { LinkCertificate } from './issuer.ts'

interface Options {
  ca: BuiltInCa
  /** The names under which nodes reach cloudcore. */
  names: ServerNames
  clock: Clock
  log: Log
}

/** How often the end of the certificate is looked at, in milliseconds. */
const every = 3600 * 1000

/**
 * cloudcore's certificate on the link, signed by its own authority: made anew at each start, when the authority changes,
 * and when less than a third of its life is left. Its key is never on a disk.
 */
export class OwnLinkCertificate implements LinkCertificate, Service {
  readonly #options: Options
  readonly #listeners = new Set<() => void>()
  readonly #stopListening: () => void
  readonly #timer: NodeJS.Timeout
  #pair: Pair
  /** What is under way: one at a time, and what is asked for meanwhile is done after it. */
  #making: Promise<void> = Promise.resolve()

  private constructor(options: Options, pair: Pair) {
    this.#options = options
    this.#pair = pair
    this.#stopListening = options.ca.onChange(() => this.#remakeSoon())
    this.#timer = setInterval(() => this.tend(), every)
    this.#timer.unref()
  }

  static async open(options: Options): Promise<OwnLinkCertificate> {
    return new OwnLinkCertificate(options, await options.ca.serverPair(options.names))
  }

  current(): Pair {
    return this.#pair
  }

  pin(): string {
    return this.#options.ca.pin()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Makes another certificate when the end of this one comes near; resolves when that is done. */
  tend(): Promise<void> {
    const { from, to } = validityOf(this.#pair.cert)
    const now = this.#options.clock.now()
    if (now < from || to - now < (to - from) / 3) this.#remakeSoon()
    return this.#making
  }

  #remakeSoon(): void {
    this.#making = this.#making
      .then(() => this.#remake())
      .catch((error: unknown) => this.#options.log.error({ reason: explain(error) }, 'link certificate not renewed'))
  }

  async #remake(): Promise<void> {
    const { ca, names, log } = this.#options
    this.#pair = await ca.serverPair(names)
    log.info({ ends: new Date(validityOf(this.#pair.cert).to).toISOString() }, 'link certificate renewed')
    for (const listener of [...this.#listeners]) listener()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopListening()
    await this.#making
  }
}
