import { connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Service, sleep } from '@kedge/shared/service'

/** `cut`: nobody gets through. `stalled`: all stand, and nothing goes through. `slow`: each packet waits. */
export type GateMode = { is: 'open' | 'cut' | 'stalled' } | { is: 'slow'; ms: number }

export interface GateOptions {
  host: string
  port: number
  /** Where cloudcore is; looked up for each connection, for its address changes with its container. */
  to: { host: string; port: number }
}

/**
 * The only way from the network of the edge nodes to that of cloudcore: one TCP port, carried to one other. Whoever
 * plays the weather tells it a mode.
 *
 * Invariant: what has been taken from one side is delivered to the other in order, or both are closed.
 */
export class Gate implements Service {
  readonly #server: Server
  readonly #to: GateOptions['to']
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #mode: GateMode = { is: 'open' }
  /** Ends with the mode. */
  #over = new AbortController()

  private constructor(server: Server, to: GateOptions['to']) {
    this.#server = server
    this.#to = to
    server.on('connection', (edge) => this.#carry(edge))
  }

  static open({ host, port, to }: GateOptions): Promise<Gate> {
    const server = createServer()
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => resolve(new Gate(server, to)))
    })
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Connections that stand now. */
  get connections(): number {
    return this.#pairs.size
  }

  get mode(): GateMode {
    return this.#mode
  }

  set mode(mode: GateMode) {
    this.#mode = mode
    this.#over.abort()
    this.#over = new AbortController()
    if (mode.is === 'cut') this.breakAll()
  }

  /** Breaks every connection; those who were connected may come back at once. */
  breakAll(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
  }

  async stop(): Promise<void> {
    this.mode = { is: 'cut' }
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  #carry(edge: Socket): void {
    edge.on('error', () => {})
    if (this.#mode.is === 'cut') return void edge.resetAndDestroy()
    const cloud = connect({ ...this.#to, noDelay: true })
    const pair = [edge.setNoDelay(true), cloud] as const
    this.#pairs.add(pair)
    // What fails on one side ends both; the programs at the ends say what they make of it.
    Promise.all([pipeline(edge, this.#weather(), cloud), pipeline(cloud, this.#weather(), edge)])
      .catch(() => pair.map((socket) => socket.resetAndDestroy()))
      .finally(() => this.#pairs.delete(pair))
  }

  /** Lets each chunk through when the mode does. */
  #weather(): Transform {
    return new Transform({
      transform: (chunk, _, done) => {
        this.#passed().then(() => done(null, chunk), done)
      },
    })
  }

  async #passed(): Promise<void> {
    while (this.#mode.is === 'stalled') await sleep(60_000, this.#over.signal)
    if (this.#mode.is === 'slow') await sleep(this.#mode.ms, this.#over.signal)
  }
}
