import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, type Memory, percentile, processorSeconds, settledMemory } from './harness.ts'
import type { Linked } from './link/linked.ts'
import { load } from './load/load.ts'
import { deviceTopic, sensorModel, sensors } from './support/manifests.ts'
import { CountingProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-mqtt.ts'
import { System } from './support/system.ts'

export const name = 'idle'

/** What the programs cost while nothing happens, and under load. */
export async function run(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    const proxy = await CountingProxy.open(system.linkPort)
    try {
      await system.kube.create([sensorModel, ...sensors('sensor', 1, 'edge-1')])
      const edge = await system.edge('edge-1', proxy.port)
      await edge.up()
      const parts = { system, edge, proxy }
      await calm(context, parts)
      await serving(context, parts, 1)
      await grown(context, parts, { from: 1, to: 100 })
      await loaded(context, parts)
      if (context.quick) return
      await grown(context, parts, { from: 100, to: 1000 })
      await serving(context, parts, 1000)
    } finally {
      await proxy.close()
    }
  })
}

/** Memory and processor of a minute in which nothing happens. */
async function calm(context: BenchContext, { system, edge }: Linked): Promise<void> {
  const pids = { edgecore: edge.pid, cloudcore: system.cloudcore.pid }
  const [settle, seconds] = context.quick ? [2, 10] : [10, 60]
  await system.quiet()
  context.say(`settling for ${settle} s`)
  await pause(settle * 1000)
  context.say(`idle for ${seconds} s`)
  const used = () => ({ edgecore: processorSeconds(pids.edgecore), cloudcore: processorSeconds(pids.cloudcore) })
  const before = used()
  await pause(seconds * 1000)
  const after = used()
  const conditions = `1 device, linked, after ${settle + seconds} s`
  const looks = { looks: context.quick ? 1 : 5 }
  memory(context, 'edgecore', await settledMemory(pids.edgecore, looks), conditions)
  memory(
    context,
    'cloudcore',
    await settledMemory(pids.cloudcore, looks),
    `${conditions}; embedded API and broker included`,
  )
  for (const program of ['edgecore', 'cloudcore'] as const) {
    const percent = ((after[program] - before[program]) / seconds) * 100
    context.figure(`${program}, processor`, percent, '% of a core', `over ${seconds} s, in steps of 10 ms of time`)
  }
}

function memory(context: BenchContext, what: string, { rss, anon }: Memory, conditions: string): void {
  context.figure(`${what}, resident`, rss, 'MB', `VmRSS, ${conditions}`)
  context.figure(`${what}, anonymous`, anon, 'MB', `RssAnon, ${conditions}`)
}

/** More devices. */
async function grown(context: BenchContext, { system, edge }: Linked, { from, to }: { from: number; to: number }) {
  context.say(`${to} devices`)
  const rows = edge.rows()
  await system.kube.create(sensors('sensor', to, 'edge-1').slice(from))
  await rows.counts('devices/', to)
  rows.close()
}

/** edgecore while it works as much as KubeEdge's can, and after it has worked as much as it can itself. */
async function loaded(context: BenchContext, { system, edge }: Linked): Promise<void> {
  const devices = Array.from({ length: 50 }, (_, index) => `sensor-${index}`)
  const plan = { port: edge.mqttPort, devices }
  await system.quiet()
  context.say('load, for memory under it')
  const steady = load({ ...plan, inFlight: 0, perSecond: 3, forMs: context.quick ? 3500 : 16_000 })
  await pause(context.quick ? 1000 : 10_000)
  const working = await settledMemory(edge.pid, { looks: 3, every: context.quick ? 200 : 1000 })
  await steady
  memory(context, 'edgecore under load', working, '100 devices, 150 twin updates/s')
  const { sent } = await load({ ...plan, inFlight: 16, forMs: context.quick ? 1000 : 5000 })
  await pause(context.quick ? 1000 : 5000)
  const conditions = `100 devices, a while after ${sent} twin updates as fast as they go`
  memory(context, 'edgecore after all it can do', await settledMemory(edge.pid, { looks: 3 }), conditions)
}

/** From the start of the process, with no cloud to reach, to the answer of a twin/get on the local broker. */
async function serving(context: BenchContext, { edge, proxy }: Linked, count: number): Promise<void> {
  const seconds: number[] = []
  context.say(`starts without a cloud, ${count} devices`)
  proxy.cut()
  for (let round = 0; round < (context.quick ? 2 : 5); round++) {
    await edge.kill()
    const started = performance.now()
    edge.start()
    await answered(edge.mqttPort)
    seconds.push((performance.now() - started) / 1000)
  }
  proxy.restore()
  const figure = count === 1 ? 'start to serving, no cloud' : `start to serving, no cloud, ${count} devices`
  const conditions = `kill -9, then process started → twin/get answered, median of ${seconds.length}`
  context.figure(figure, percentile(seconds, 0.5), 's', conditions)
}

/** Resolves once the broker answers a twin/get. */
async function answered(port: number): Promise<void> {
  const deadline = performance.now() + 30_000
  const topic = deviceTopic('sensor-0', 'twin/get')
  for (;;) {
    try {
      await new Promise<void>((resolve, reject) => {
        const onMessage = () => resolve()
        const ask = async () => {
          const client = await RawClient.connect({ port, clientId: 'starter', onMessage })
          await client.subscribe(`${topic}/result`)
          client.publish(topic, '{}')
        }
        ask().catch(reject)
      })
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await pause(5)
    }
  }
}
