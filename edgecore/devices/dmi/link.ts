import { createConnection } from 'node:net'
import { type Backoff, delay } from '@kedge/shared/backoff'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { sleep } from '@kedge/shared/service'
import type { Connect, Ended, MapperClient } from './client.ts'
import type { MapperMethod } from './schema.ts'

export interface LinkOptions {
  /** The path of the mapper's Unix socket. */
  address: string
  patience: LinkPatience
  /** A draw from [0, 1). */
  random: () => number
  log: Log
  onUp: () => void
  onDown: () => void
  /** The mapper has not been reachable for a while. */
  onAbsent: () => void
}

export interface LinkPatience {
  /** Milliseconds that a call may take. */
  call: number
  /** Milliseconds without a connection after which a mapper counts as absent. */
  absent: number
}

const backoff: Backoff = { base: 100, cap: 10_000 }

/**
 * The connection to one mapper, sought for as long as the mapper is registered. The gRPC library is loaded when there is
 * somebody to talk to: a mapper that is gone costs an attempt at a socket now and then, no memory.
 */
export class Link {
  readonly #options: LinkOptions
  readonly #end = new AbortController()
  #client: MapperClient | undefined
  #absence: NodeJS.Timeout | undefined

  constructor(options: LinkOptions) {
    this.#options = options
  }

  get up(): boolean {
    return this.#client !== undefined
  }

  start(): void {
    this.#miss()
    void this.#run()
  }

  async call(method: MapperMethod, request: object): Promise<Ended> {
    if (this.#client === undefined) return { is: 'unreachable', reason: 'no connection', code: -1 }
    return this.#client.call(method, request)
  }

  stop(): void {
    this.#end.abort()
    clearTimeout(this.#absence)
    this.#client?.close()
    this.#client = undefined
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    const { address, random, log } = this.#options
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#once()
        attempt = 0
      } catch (error) {
        log.debug({ address, reason: explain(error) }, 'mapper not reached')
      }
      await sleep(delay(attempt, backoff, random()), signal)
    }
  }

  /** Connects, and resolves when the connection is lost; rejects when there is none to be had. */
  async #once(): Promise<void> {
    const { address, patience, onUp, onDown } = this.#options
    await knock(address)
    const { connectMapper } = await import('./client.ts')
    const lost = new AbortController()
    const options: Connect = { address, deadline: patience.call, onDown: () => lost.abort() }
    const client = await connectMapper(options)
    if (this.#end.signal.aborted) return client.close()
    this.#client = client
    clearTimeout(this.#absence)
    onUp()
    await aborted(AbortSignal.any([lost.signal, this.#end.signal]))
    client.close()
    if (this.#end.signal.aborted) return
    this.#client = undefined
    this.#miss()
    onDown()
  }

  #miss(): void {
    const { patience, onAbsent } = this.#options
    this.#absence = setTimeout(onAbsent, patience.absent)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Rejects when nobody listens at a socket. */
function knock(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
