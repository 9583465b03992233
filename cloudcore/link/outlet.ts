import type { Duplex } from 'node:stream'
import type { DownFrame } from '@kedge/shared/frames'
import { linkTopic } from '@kedge/shared/topics'
import type { Client } from 'aedes'
import { OutQueue } from './out-queue.ts'
import type { Traffic } from './traffic.ts'

export interface OutletOptions {
  client: Client
  traffic: Traffic
  /** Why this connection must end. */
  cut: (reason: string) => void
}

/** Bytes that may wait for one node: two times what a session has on its way at most. */
const maxQueued = 16 * 1024 * 1024

/** Bytes that may be with the socket before the next packet has to wait: what it takes before it asks for a pause. */
const enough = 16 * 1024

/** What a socket knows of the bytes that have left it. */
interface Sending extends Duplex {
  bytesWritten?: number
  /** libuv's own queue: it shrinks while a large write is on its way, which Node.js does not tell. */
  _handle?: { writeQueueSize?: number } | null
}

/**
 * The way to one connected node. Little is with the socket, the rest waits here: so a node that does not read costs a
 * bounded number of bytes, and nobody else any time. Yet more than one packet: aedes tells of each that it has gone in a
 * later turn of the event loop, and in a busy cloudcore such turns take a while.
 */
export class Outlet {
  readonly #options: OutletOptions
  readonly #queue = new OutQueue(maxQueued)
  /** Bytes that are with the socket. */
  #sending = 0
  /** Packets handed to the socket so far. */
  #handed = 0
  #progress = ''

  constructor(options: OutletOptions) {
    this.#options = options
  }

  get client(): Client {
    return this.#options.client
  }

  /** Bytes that wait, here or in the socket. */
  get bytes(): number {
    return this.#queue.bytes + this.#sending
  }

  send(frame: DownFrame): void {
    if (!this.#queue.push(frame)) return this.#options.cut(`more than ${maxQueued} bytes wait for it`)
    this.#next()
  }

  begin(talk: string): void {
    this.#queue.begin(talk)
  }

  /** Cuts the connection when not a byte has left it since the last look, although some should have. */
  look(): void {
    const { bytesWritten, writableLength, _handle } = this.#options.client.conn as Sending
    const progress = `${this.#handed} ${this.#sending} ${bytesWritten} ${writableLength} ${_handle?.writeQueueSize}`
    const stuck = this.#sending > 0 && progress === this.#progress
    this.#progress = progress
    if (stuck) this.#options.cut(`it has not read for a while, ${this.bytes} bytes wait for it`)
  }

  #next(): void {
    while (this.#sending < enough) {
      const payload = this.#queue.shift()
      if (payload === undefined) return
      this.#hand(payload)
    }
  }

  #hand(payload: Buffer): void {
    const { client, traffic } = this.#options
    this.#sending += payload.length
    this.#handed++
    const topic = linkTopic(client.id, 'down')
    const packet = { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false } as const
    client.publish(packet, () => {
      this.#sending -= payload.length
      if (client.closed) return
      traffic.count(client.id, 'sent', payload.length)
      this.#next()
    })
  }
}
