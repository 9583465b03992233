import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { type Service, sleep } from '@kedge/shared/service'

/** `slow`: so many milliseconds later, in both directions. `narrow`: no more than so many bytes a second in each. */
type Mode =
  | { is: 'open' | 'cut' | 'stalled' | 'mute' }
  | { is: 'slow'; ms: number }
  | { is: 'narrow'; bytesPerSecond: number }

/** Bytes that a narrow network carries at once. */
const packet = 1000

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

  /** Carries no more than so many bytes a second in each direction; who sends more is held up. */
  narrow(bytesPerSecond: number): void {
    this.#mode = { is: 'narrow', bytesPerSecond }
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
      const mode = this.#mode
      // In order, also where a slow network becomes a quick one meanwhile.
      if (mode.is === 'narrow') {
        from.pause()
        last = last
          .then(() => this.#squeeze(chunk, to, count))
          .then(() => {
            if (!this.#isHeld(from)) from.resume()
          })
        return
      }
      count(chunk)
      if (mode.is === 'slow') last = Promise.all([last, sleep(mode.ms)]).then(() => void to.write(chunk))
      else last = last.then(() => void to.write(chunk))
    })
    from.once('close', () => void last.then(() => to.destroy()))
  }

  /** Packet by packet, and at once what is left when the network is no longer narrow. */
  async #squeeze(chunk: Buffer, to: Socket, count: (chunk: Buffer) => void): Promise<void> {
    for (let at = 0; at < chunk.length && !to.destroyed; at += packet) {
      const part = chunk.subarray(at, at + packet)
      const mode = this.#mode
      if (mode.is === 'narrow') await sleep((part.length / mode.bytesPerSecond) * 1000)
      count(part)
      to.write(part)
    }
  }

  #isHeld(socket: Socket): boolean {
    if (this.#mode.is === 'mute') return [...this.#pairs].some(([, cloud]) => cloud === socket)
    return this.#mode.is === 'stalled'
  }
}
