import { setTimeout as pause } from 'node:timers/promises'
import { TestMapper } from '../../contract/devices/dmi-mapper.ts'
import { eventually } from '../../support/eventually.ts'
import { type BenchContext, memoryOf, processorSeconds } from '../harness.ts'
import { desire, devicesPath, sensor, sensorModel } from '../support/manifests.ts'
import { type Edge, System } from '../support/system.ts'
import { floodOf } from './flood.ts'

const protocol = 'bench'
const count = 50

/** A gRPC mapper that serves 50 devices: from the Kubernetes API to it, and from it to the disk. */
export async function mappers(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    await system.kube.create([sensorModel, ...Array.from({ length: count }, (_, index) => mapped(`sensor-${index}`))])
    const edge = await system.edge('edge-1')
    await edge.up()
    const rows = edge.rows()
    await rows.counts('devices/', count)
    rows.close()
    await system.quiet()
    const before = memoryOf(edge.pid)
    const mapper = await TestMapper.start({ dir: edge.data, edgecore: edge.dmiSocket, protocol })
    await edge.said('mapper reached', 0)
    await desired(context, system, mapper)
    mapper.stop()
    context.figure('memory of the first mapper', memoryOf(edge.pid).rss - before.rss, 'MB', `${count} devices`)
    await reports(context, edge)
  })
}

function mapped(name: string) {
  const device = sensor(name, 'edge-1')
  return { ...device, spec: { ...device.spec, protocol: { protocolName: protocol } } }
}

/** Desired values, one at a time, from the API's answer until the mapper has the call. */
async function desired({ quick, say, percentiles }: BenchContext, { kube }: System, mapper: TestMapper) {
  const rounds = quick ? 15 : 200
  say(`${rounds} desired values to a gRPC mapper`)
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    const value = `v${round}.`
    const { answered } = await kube.patch(`${devicesPath}/sensor-0`, 'json', desire(value))
    const call = await eventually(() => mapper.calls.find(({ request }) => holds(request.device, value)), { every: 1 })
    samples.push(Math.max(0, call.at - answered))
    mapper.calls.length = 0
    await pause(20)
  }
  percentiles('desired answered → UpdateDevice', samples, 'ms', 'one at a time, a mapper that answers at once')
}

function holds(device: { spec: { properties: { desired: { value: string } }[] } } | undefined, value: string): boolean {
  return device?.spec.properties.some(({ desired }) => desired.value === value) ?? false
}

/** As many reports as go, each answered once it is kept. */
async function reports({ quick, say, figure, wrong }: BenchContext, edge: Edge): Promise<void> {
  const total = quick ? 2000 : 20_000
  for (const [what, alone] of [
    ['one connection', false],
    ['a connection for each', true],
  ] as const) {
    const sent = alone ? total / 10 : total
    say(`${sent} gRPC reports, ${what}`)
    const before = processorSeconds(edge.pid)
    const result = await floodOf({ socket: edge.dmiSocket, devices: count, reports: sent, alone })
    const conditions = `${sent} reports of one property over ${count} devices, 4 in flight each, ${what}`
    figure(`gRPC reports, ${what}`, sent / (result.ms / 1000), '1/s', conditions)
    const spent = ((processorSeconds(edge.pid) - before) * 1000) / sent
    figure(`gRPC reports, ${what}: processor of edgecore`, spent, 'ms', conditions)
    figure(`gRPC reports refused, ${what}`, result.refused, `of ${sent}`, conditions)
    if (result.refused > 0) wrong(`${result.refused} of ${sent} reports were refused: ${result.reason}`)
    const rows = edge.rows()
    const kept = rows.reported('temperature')
    rows.close()
    for (const [device, value] of Object.entries(result.last)) {
      const found = kept.get(`default/${device}`)
      if (found !== value) wrong(`${device} reported ${value} last, SQLite has ${found}`)
    }
  }
}
