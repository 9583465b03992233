import { setTimeout as pause } from 'node:timers/promises'
import * as z from 'zod'
import { reportNumber } from '../load/plan.ts'
import type { System } from '../support/system.ts'

const twin = z.object({ propertyName: z.string(), reported: z.object({ value: z.string() }).optional() })
const page = z.array(z.object({ name: z.string(), twins: z.array(twin) }))

/** Looks again and again at the values that cloudcore knows of a node's devices, from its making to its end. */
export class LiveValues {
  /** By device: what was seen and when, in milliseconds since the epoch. */
  readonly #seen = new Map<string, { number: number; at: number }[]>()
  readonly #running: Promise<void>
  #stopped = false

  constructor(system: Pick<System, 'page'>, node: string) {
    this.#running = this.#look(system, node)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  /** Milliseconds from each update to the first look that found it or a later one, given when the updates were sent. */
  lags(times: Readonly<Record<string, readonly number[]>>): number[] {
    return Object.entries(times).flatMap(([device, sent]) => {
      const seen = this.#seen.get(device) ?? []
      return sent.map((at, number) => {
        const found = seen.find((each) => each.number >= number && each.at >= at)
        return (found?.at ?? Number.POSITIVE_INFINITY) - at
      })
    })
  }

  async #look(system: Pick<System, 'page'>, node: string): Promise<void> {
    const before = new Map<string, number>()
    while (!this.#stopped) {
      const devices = page.parse(await system.page(`/nodes/${node}/twins`))
      const at = performance.timeOrigin + performance.now()
      for (const { name, twins } of devices) {
        const value = twins.find(({ propertyName }) => propertyName === 'temperature')?.reported?.value
        if (value === undefined || reportNumber(value) === before.get(name)) continue
        before.set(name, reportNumber(value))
        const seen = this.#seen.get(name) ?? []
        seen.push({ number: reportNumber(value), at })
        this.#seen.set(name, seen)
      }
      await pause(20)
    }
  }
}
