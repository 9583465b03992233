import { connect, createServer, type Server, type Socket } from 'node:net'

/** Bytes of TCP payload since the last `reset`. */
export interface Bytes {
  /** Edge to cloud. */
  up: number
  down: number
}

/** A TCP proxy on loopback between an edge and its cloud, which counts what passes and can be cut. */
export class CountingProxy {
  readonly #target: number
  readonly #server: Server
  readonly #open = new Set<Socket>()
  #bytes: Bytes = { up: 0, down: 0 }
  #cut = false
  /** When bytes last passed, and when a connection was last let through; monotonic milliseconds. */
  lastByteAt = 0
  lastConnectAt = 0

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Before a port on 127.0.0.1. */
  static async open(target: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the proxy does not listen')
    return address.port
  }

  get bytes(): Bytes {
    return { ...this.#bytes }
  }

  reset(): void {
    this.#bytes = { up: 0, down: 0 }
  }

  /** Ends every connection, and each new one at once, until `restore`. */
  cut(): void {
    this.#cut = true
    for (const socket of this.#open) socket.destroy()
  }

  restore(): void {
    this.#cut = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(socket: Socket): void {
    if (this.#cut) return void socket.destroy()
    this.lastConnectAt = performance.now()
    const onward = connect({ port: this.#target, host: '127.0.0.1', noDelay: true })
    socket.setNoDelay(true)
    this.#pass(socket, onward, 'up')
    this.#pass(onward, socket, 'down')
  }

  #pass(from: Socket, to: Socket, direction: keyof Bytes): void {
    this.#open.add(from)
    from.on('error', () => {})
    from.on('close', () => {
      this.#open.delete(from)
      to.destroy()
    })
    from.on('data', (bytes) => {
      this.#bytes[direction] += bytes.length
      this.lastByteAt = performance.now()
      to.write(bytes)
    })
  }
}
