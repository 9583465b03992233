import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './harness.ts'
import { load } from './load/load.ts'
import type { LoadPlan, LoadResult } from './load/plan.ts'
import { devicesPath, sensorModel, sensors } from './support/manifests.ts'
import { type Edge, System, statusInterval } from './support/system.ts'

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
    await writes(context, system, loads)
  })
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `sensor-${index}`)

/** Puts load on an edge and holds what came of it against what was sent. */
class Loads {
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

/** Steady reports: how often the API is written to, and whether the last value always arrives there. */
async function writes(context: BenchContext, system: System, loads: Loads): Promise<void> {
  // The loads before have writes left that wait for their interval.
  await system.quiet(context.quick ? 1000 : statusInterval + 1000)
  const counted = () => system.metric('kedge_cloud_kube_writes_total')
  const before = await counted()
  const forMs = context.quick ? 5000 : 30_000
  const what = '30 devices × 3/s'
  const { last, sent } = await loads.put(what, { devices: names(30), inFlight: 0, perSecond: 3, forMs })
  const written = (await counted()) - before
  const conditions = `${sent} reports in ${forMs / 1000} s, status interval ${statusInterval / 1000} s`
  context.figure(`${what}: status writes`, written / (forMs / 1000), '1/s', conditions)
  const perInterval = (written / 30 - 1) / (forMs / statusInterval)
  context.figure(`${what}: writes per device and interval`, perInterval, 'writes', 'the first write left out')
  const ended = performance.now()
  const missing = await converged(system, last, 25_000)
  context.figure(`${what}: last values in the API`, (performance.now() - ended) / 1000, 's', 'after the last report')
  if (missing.length > 0) context.wrong(`${what}: the last value of ${missing.join(', ')} is not in the API`)
}

/** Waits until the API has the last value of every device; the names of those whose it lacks after `within` ms. */
async function converged(system: System, last: Readonly<Record<string, string>>, within: number): Promise<string[]> {
  const deadline = performance.now() + within
  let missing = Object.keys(last)
  while (missing.length > 0 && performance.now() < deadline) {
    await pause(100)
    const still: string[] = []
    for (const device of missing) {
      const { status } = await system.kube.get(`${devicesPath}/${device}`)
      if (!JSON.stringify(status ?? {}).includes(`"${last[device]}"`)) still.push(device)
    }
    missing = still
  }
  return missing
}
