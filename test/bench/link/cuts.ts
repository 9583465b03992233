import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, percentile } from '../harness.ts'
import { desire, devicesPath } from '../support/manifests.ts'
import type { Linked } from './linked.ts'

/** Cuts the link for a while and changes something meanwhile. */
export async function cuts(context: BenchContext, { system, edge, proxy }: Linked): Promise<void> {
  const rows = edge.rows()
  const [rounds, cutMs] = context.quick ? [1, 500] : [5, 3000]
  const reconnected: number[] = []
  const arrived: number[] = []
  context.say(`cutting the link ${rounds} times`)
  for (let round = 0; round < rounds; round++) {
    proxy.cut()
    await pause(cutMs)
    const value = `cut${round}.`
    await system.kube.patch(`${devicesPath}/first-7`, 'json', desire(value))
    const seen = rows.holds('devices/default/first-7', `"${value}"`)
    proxy.restore()
    const [monotonic, wall] = [performance.now(), Date.now()]
    arrived.push(((await seen) - monotonic) / 1000)
    reconnected.push(((await edge.said('link up', wall)) - wall) / 1000)
  }
  rows.close()
  const conditions = `refused for ${cutMs / 1000} s, then let through, ${rounds} times; the next try is at random within 2 s`
  spread(context, 'link back → reconnected', reconnected, conditions)
  spread(context, 'change during a cut → at the edge', arrived, conditions)
}

function spread(context: BenchContext, figure: string, samples: readonly number[], conditions: string): void {
  context.figure(`${figure}, median`, percentile(samples, 0.5), 's', conditions)
  context.figure(`${figure}, longest`, Math.max(...samples), 's', conditions)
}
