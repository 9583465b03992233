import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './harness.ts'
import { Loads, names } from './load/loads.ts'
import type { LoadResult } from './load/plan.ts'
import { sensorModel, sensors } from './support/manifests.ts'
import { System } from './support/system.ts'

export const name = 'twins'

/** What becomes of devices' reports at a node that is linked to its cloud. */
export async function run(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    await system.kube.create([sensorModel, ...sensors('sensor', 50, 'edge-1')])
    const edge = await system.edge('edge-1')
    await edge.up()
    const rows = edge.rows()
    await rows.counts('devices/', 50)
    rows.close()
    await system.quiet()
    const loads = new Loads(context, edge)
    await rates(context, loads)
    await burst(context, loads)
    context.figure('answers out of order', loads.outOfOrder, 'answers', `of ${loads.answered}`)
    context.figure('answers lost', loads.lost, 'answers', `of ${loads.sent}`)
  })
}

const wire = 'QoS 1 both ways, result received, load generator in its own process'

async function rates({ quick, figure }: BenchContext, loads: Loads): Promise<void> {
  const latencies = (what: string, { p50, p99, answered }: LoadResult, conditions: string) => {
    figure(`${what} p50`, p50, 'ms', `${conditions}, ${answered} samples`)
    figure(`${what} p99`, p99, 'ms', `${conditions}, ${answered} samples`)
  }
  const forMs = quick ? 1000 : 6000
  await loads.put('warming up', { devices: names(10), inFlight: 4, forMs: 500 })
  const single = await loads.put('1 device, one in flight', { devices: names(1), inFlight: 1, forMs })
  figure('1 device, one in flight', rate(single), '1/s', wire)
  latencies('1 device, one in flight', single, 'update sent → result')
  const full = await loads.put('50 devices, 16 in flight', { devices: names(50), inFlight: 16, forMs })
  figure('50 devices, 16 in flight', rate(full), '1/s', wire)
  latencies('50 devices, 16 in flight', full, 'update sent → result')
  const perSecond = rate(full) / 2 / 50
  const half = await loads.put('50 devices, half that rate', { devices: names(50), inFlight: 0, perSecond, forMs })
  latencies('50 devices, half that rate', half, `${Math.round(perSecond * 50)}/s, update due → result`)
}

const rate = ({ answered, ms }: LoadResult) => answered / (ms / 1000)

async function burst({ quick, figure }: BenchContext, loads: Loads): Promise<void> {
  const plan = { devices: names(50), inFlight: 100, atMost: 100, forMs: 60_000 }
  const times: LoadResult[] = []
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    times.push(await loads.put('burst of 5000', plan))
    await pause(500)
  }
  const median = times.toSorted((a, b) => a.ms - b.ms)[times.length >> 1]
  if (median === undefined) return
  const conditions = `100 updates at once from each of 50 devices, median of ${times.length}`
  figure('burst of 5000', median.ms / 1000, 's', `${conditions}: first sent → last answered`)
  figure('burst of 5000, p99', median.p99, 'ms', conditions)
}
