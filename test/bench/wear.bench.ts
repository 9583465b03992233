import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './harness.ts'
import { load } from './load/load.ts'
import { sensorModel, sensors } from './support/manifests.ts'
import { type Edge, System } from './support/system.ts'

export const name = 'wear'

/** `auto` begins as 0s and becomes 200ms after 100,000 commits, which is a quarter of an hour of this load. */
const intervals = ['0s', '200ms', '1s', '5s']

/** What edgecore writes to its disk: that is what an SD card dies of. */
export const parts = {
  async load(context: BenchContext): Promise<void> {
    for (const interval of intervals) await under(context, interval)
  },
  async idle(context: BenchContext): Promise<void> {
    await sensorsOn('auto', (edge) => idle(context, edge))
  },
}

const devices = 30
const perSecond = 3

/** A linked node with devices that have said nothing yet. */
async function sensorsOn(interval: string, use: (edge: Edge) => Promise<void>): Promise<void> {
  await System.run(async (system) => {
    await system.kube.create([sensorModel, ...sensors('sensor', devices, 'edge-1')])
    const edge = await system.edge('edge-1', undefined, { 'commit-interval': interval })
    await edge.up()
    const rows = edge.rows()
    await rows.counts('devices/', devices)
    rows.close()
    await system.quiet()
    await use(edge)
  })
}

/** The load that wears KubeEdge's nodes out (kubeedge#3761), linked to the cloud, so that the outbox empties as well. */
function under(context: BenchContext, interval: string): Promise<void> {
  return sensorsOn(interval, async (edge) => {
    const names = Array.from({ length: devices }, (_, index) => `sensor-${index}`)
    const plan = { port: edge.mqttPort, devices: names, inFlight: 0, perSecond }
    await load({ ...plan, forMs: context.quick ? 1000 : 10_000 })
    const forMs = context.quick ? 5000 : 60_000
    context.say(`${devices} devices × ${perSecond}/s, commit interval ${interval}`)
    const before = written(edge)
    const result = await load({ ...plan, forMs })
    const bytes = written(edge) - before
    const conditions = `${devices} devices × ${perSecond}/s for ${forMs / 1000} s, linked, --commit-interval ${interval}`
    context.figure(`written, commit interval ${interval}`, bytes / 1e6 / (forMs / 3_600_000), 'MB/h', conditions)
    context.figure(`answer p50, commit interval ${interval}`, result.p50, 'ms', conditions)
    context.figure(`answer p99, commit interval ${interval}`, result.p99, 'ms', conditions)
    if (result.answered < result.sent) context.wrong(`${result.sent - result.answered} updates were not answered`)
  })
}

async function idle(context: BenchContext, edge: Edge): Promise<void> {
  const [settle, seconds] = context.quick ? [1, 5] : [15, 120]
  await pause(settle * 1000)
  const before = written(edge)
  await pause(seconds * 1000)
  const perHour = ((written(edge) - before) / 1e6 / seconds) * 3600
  context.figure('written, idle', perHour, 'MB/h', `${devices} devices that say nothing, linked, ${seconds} s`)
}

/** Bytes that the process has caused to be written to its disk (proc_pid_io(5)); its log is a file in the same place. */
function written({ pid }: Edge): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
}
