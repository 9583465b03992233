import type { BenchContext } from '../harness.ts'
import type { Edge } from '../support/system.ts'
import { load } from './load.ts'
import type { LoadPlan, LoadResult } from './plan.ts'

/** The first of the devices that benches load. */
export const names = (count: number) => Array.from({ length: count }, (_, index) => `sensor-${index}`)

/** Puts load on an edge and holds what came of it against what was sent. */
export class Loads {
  readonly #context: BenchContext
  readonly #edge: Edge
  sent = 0
  answered = 0
  outOfOrder = 0

  constructor(context: BenchContext, edge: Edge) {
    this.#context = context
    this.#edge = edge
  }

  get lost(): number {
    return this.sent - this.answered
  }

  async put(what: string, plan: Omit<LoadPlan, 'port'>): Promise<LoadResult> {
    this.#context.say(what)
    const result = await load({ ...plan, port: this.#edge.mqttPort })
    this.sent += result.sent
    this.answered += result.answered
    this.outOfOrder += result.outOfOrder
    this.#judge(what, result)
    return result
  }

  #judge(what: string, { sent, answered, refused, outOfOrder, last }: LoadResult): void {
    const { wrong } = this.#context
    if (answered < sent) wrong(`${what}: ${sent - answered} of ${sent} updates were not answered`)
    if (refused > 0) wrong(`${what}: ${refused} of ${sent} updates were refused`)
    if (outOfOrder > 0) wrong(`${what}: ${outOfOrder} of ${answered} answers came out of order`)
    const rows = this.#edge.rows()
    const kept = rows.reported('temperature')
    rows.close()
    const stale = Object.entries(last).filter(([device, value]) => kept.get(`default/${device}`) !== value)
    for (const [device, value] of stale.slice(0, 3)) {
      wrong(`${what}: ${device} said ${value} last, SQLite has ${kept.get(`default/${device}`)}`)
    }
  }
}
