import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { type Service, sleep } from '@kedge/shared/service'

/** `slow`: so many milliseconds later, in both directions. */
type Mode = { is: 'open' } | { is: 'cut' } | { is: 'stalled' } | { is: 'mute' } | { is: 'slow'; ms: number }

/**
 * A network between an edge and a cloud: a TCP proxy that can be cut, stalled and slowed, and that counts what it
 * carries, whatever protocol it is.
 */
export class CutLink implements Service {
  /** Where the edge connects to; stays the same for good. */
  readonly port: number
  /** Where the cloud listens now; undefined while there is none. */
  target: number | undefined
  /** Bytes carried from the edge to the cloud, and back. */
  readonly carried = { up: 0, down: 0 }
  /** Connections that the edge made and that reached the cloud. */
  connections = 0
  /** What was carried towards the edge, by connection. */
  readonly toEdge: Buffer[][] = []
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #mode: Mode = { is: 'open' }

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
    server.on('connection', (edge) => this.#accept(edge))
  }

  static open(): Promise<CutLink> {
    const server = createServer({ pauseOnConnect: true })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        resolve(new CutLink(server, typeof address === 'object' && address !== null ? address.port : 0))
      })
    })
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  /** Connections that stand now. */
  get open(): number {
    return this.#pairs.size
  }

  /** Breaks every connection, and each new one at once. */
  cut(): void {
    this.#mode = { is: 'cut' }
    for (const [edge, cloud] of this.#pairs) {
      edge.resetAndDestroy()
      cloud.resetAndDestroy()
    }
  }

  /** Lets nothing more through and closes nothing, as when a cable is pulled: neither side is told. */
  stall(): void {
    this.#mode = { is: 'stalled' }
    for (const sockets of this.#pairs) for (const socket of sockets) socket.pause()
  }

  /** Carries what the edge says, and nothing back: it does not hear what became of it. */
  mute(): void {
    this.#mode = { is: 'mute' }
    for (const [, cloud] of this.#pairs) cloud.pause()
  }

  slow(ms: number): void {
    this.#mode = { is: 'slow', ms }
  }

  /** As good as new, for the connections that stand, too: what was held up goes through. */
  heal(): void {
    this.#mode = { is: 'open' }
    for (const sockets of this.#pairs) for (const socket of sockets) socket.resume()
  }

  /** From now on connections reach the cloud again; those that hang go on hanging. */
  healForNewConnections(): void {
    this.#mode = { is: 'open' }
  }

  async stop(): Promise<void> {
    this.cut()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(edge: Socket): void {
    edge.on('error', () => {})
    if (this.#mode.is === 'cut' || this.target === undefined) return void edge.resetAndDestroy()
    const cloud = dial({ host: '127.0.0.1', port: this.target, noDelay: true })
    const pair = [edge, cloud] as const
    this.#pairs.add(pair)
    cloud.once('connect', () => this.connections++)
    edge.setNoDelay(true)
    const toEdge: Buffer[] = []
    this.toEdge.push(toEdge)
    this.#carry(edge, cloud, (chunk) => {
      this.carried.up += chunk.length
    })
    this.#carry(cloud, edge, (chunk) => {
      this.carried.down += chunk.length
      toEdge.push(chunk)
    })
    for (const socket of pair) socket.once('close', () => this.#pairs.delete(pair))
    if (this.#mode.is === 'stalled' || this.#mode.is === 'mute') cloud.pause()
    if (this.#mode.is === 'stalled') edge.pause()
    else edge.resume()
  }

  #carry(from: Socket, to: Socket, count: (chunk: Buffer) => void): void {
    let last = Promise.resolve()
    from.on('error', () => {})
    from.on('data', (chunk: Buffer) => {
      count(chunk)
      const wait = this.#mode.is === 'slow' ? this.#mode.ms : 0
      // In order, also where a slow network becomes a quick one meanwhile.
      if (wait === 0) last = last.then(() => void to.write(chunk))
      else last = Promise.all([last, sleep(wait)]).then(() => void to.write(chunk))
    })
    from.once('close', () => void last.then(() => to.destroy()))
  }
}
