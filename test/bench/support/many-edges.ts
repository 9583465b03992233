import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EdgesPlan } from '../load/edges-plan.ts'
import { EdgeRows } from './edge-rows.ts'

/**
 * Many whole edgecores in one process: their stores, brokers, pods and devices, and a connection to the cloud for each.
 * Their databases lie in memory where the machine can do that: a thousand boards have a thousand disks.
 */
export class ManyEdges {
  readonly nodes: readonly string[]
  readonly #dir: string
  readonly #child: ChildProcess

  private constructor(nodes: readonly string[], dir: string, child: ChildProcess) {
    this.nodes = nodes
    this.#dir = dir
    this.#child = child
  }

  /** Resolves once all have begun; not all have reached their cloud then. */
  static async start(nodes: readonly string[], cloudPort: number): Promise<ManyEdges> {
    const memory = '/dev/shm'
    const dir = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'kedge-edges-'))
    const child = fork(join(import.meta.dirname, '../load/edges.ts'))
    const edges = new ManyEdges(nodes, dir, child)
    const plan: EdgesPlan = { nodes: [...nodes], cloudPort, dir }
    child.send(plan)
    const ended = once(child, 'exit').then(([code]) => `the edges ended with ${code}`)
    const said = await Promise.race([once(child, 'message'), ended])
    if (typeof said === 'string') {
      await edges.stop()
      throw new Error(said)
    }
    return edges
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the edges did not start')
    return this.#child.pid
  }

  /** The database of one of them. */
  rows(node: string): EdgeRows {
    return new EdgeRows(join(this.#dir, node, 'edge.db'))
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.disconnect()
      await exited
    }
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 })
  }
}
