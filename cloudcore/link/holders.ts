import type { Duplex } from 'node:stream'
import type { Clock } from '@kedge/shared/clock'
import type { Barred } from '../identity/issuing.ts'
import type { Connection } from './link.ts'

/** A node's connection and what it stands on. */
export interface Holding {
  conn: Pick<Duplex, 'once'>
  /** Of its certificate; undefined over plain MQTT, as are the next two. */
  serial: string | undefined
  /** PEM. */
  leaf: string | undefined
  /** When the certificate ends, milliseconds since the epoch. */
  ends: number | undefined
  end: (kind: 'certificate' | 'revoked' | 'locked', reason: string) => void
}

export interface HoldersOptions {
  clock: Clock
  barred: (node: string, serial: string) => Barred | undefined
  /** Milliseconds between two looks at the ends of certificates. */
  sweep?: number | undefined
}

const defaultSweep = 15_000

/** The connections of the nodes, each as long as what it stands on is good. */
export class Holders {
  readonly #options: HoldersOptions
  readonly #byNode = new Map<string, Holding & Connection>()
  readonly #timer: NodeJS.Timeout
  #number = 0

  constructor(options: HoldersOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#sweep(), options.sweep ?? defaultSweep)
    this.#timer.unref()
  }

  of(node: string): Connection | undefined {
    return this.#byNode.get(node)
  }

  add(node: string, holding: Holding): void {
    const held = { ...holding, number: ++this.#number }
    this.#byNode.set(node, held)
    holding.conn.once('close', () => {
      if (this.#byNode.get(node) === held) this.#byNode.delete(node)
    })
  }

  /** The node has another certificate, for which it need not connect again. */
  prolong(node: string, ends: number): void {
    const held = this.#byNode.get(node)
    if (held?.ends !== undefined) held.ends = Math.max(held.ends, ends)
  }

  /** Something else is known of the node. */
  look(node: string): void {
    const held = this.#byNode.get(node)
    if (held?.serial === undefined) return
    const bar = this.#options.barred(node, held.serial)
    if (bar !== undefined) held.end(bar.code === 'node-locked' ? 'locked' : 'revoked', bar.reason)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #sweep(): void {
    const now = this.#options.clock.now()
    for (const { ends, end } of this.#byNode.values()) {
      if (ends !== undefined && ends < now) end('certificate', 'its certificate has ended, and it has not renewed it')
    }
  }
}
