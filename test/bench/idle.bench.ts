import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, type Memory, percentile, processorSeconds, settledMemory } from './harness.ts'
import { load } from './load/load.ts'
import { deviceTopic, sensorModel, sensors } from './support/manifests.ts'
import { CountingProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-mqtt.ts'
import { type Edge, System } from './support/system.ts'

export const name = 'idle'

interface Parts {
  system: System
  edge: Edge
  proxy: CountingProxy
}

/** What the system costs while nothing happens, and what it costs to find out that nothing has. */
export async function run(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    const proxy = await CountingProxy.open(system.linkPort)
    try {
      await system.kube.create([sensorModel, ...sensors('sensor', 1, 'edge-1')])
      const edge = await system.edge('edge-1', proxy.port)
      await edge.up()
      const parts = { system, edge, proxy }
      await calm(context, parts)
      await reconnects(context, parts, 1)
      await serving(context, parts, 1)
      await grown(context, parts, { from: 1, to: 100 })
      if (!context.quick) await reconnects(context, parts, 100)
      await loaded(context, parts)
      if (context.quick) return
      await grown(context, parts, { from: 100, to: 1000 })
      await reconnects(context, parts, 1000)
      await serving(context, parts, 1000)
    } finally {
      await proxy.close()
    }
  })
}

/** Memory, processor and bytes of a minute in which nothing happens. */
async function calm(context: BenchContext, { system, edge, proxy }: Parts): Promise<void> {
  const pids = { edgecore: edge.pid, cloudcore: system.cloudcore.pid }
  const [settle, seconds] = context.quick ? [2, 10] : [10, 60]
  await system.quiet()
  context.say(`settling for ${settle} s`)
  await pause(settle * 1000)
  context.say(`idle for ${seconds} s`)
  const used = () => ({ edgecore: processorSeconds(pids.edgecore), cloudcore: processorSeconds(pids.cloudcore) })
  const before = used()
  proxy.reset()
  await pause(seconds * 1000)
  const { up, down } = proxy.bytes
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
  const perMinute = ((up + down) * 60) / seconds
  context.figure(
    'link, idle minute',
    perMinute,
    'bytes',
    `TCP payload over ${seconds} s: ${up} up, ${down} down, no TLS`,
  )
}

function memory(context: BenchContext, what: string, { rss, anon }: Memory, conditions: string): void {
  context.figure(`${what}, resident`, rss, 'MB', `VmRSS, ${conditions}`)
  context.figure(`${what}, anonymous`, anon, 'MB', `RssAnon, ${conditions}`)
}

/** More devices. */
async function grown(context: BenchContext, { system, edge }: Parts, { from, to }: { from: number; to: number }) {
  context.say(`${to} devices`)
  const rows = edge.rows()
  await system.kube.create(sensors('sensor', to, 'edge-1').slice(from))
  await rows.counts('devices/', to)
  rows.close()
}

/** Waits until cloudcore writes nothing and every report of the edge has been answered: nothing is left to say. */
async function settled({ system, edge }: Parts): Promise<void> {
  const rows = edge.rows()
  await system.quiet()
  await rows.answered()
  rows.close()
}

/** What a new connection costs where nothing has changed: after a cut of the link, and after a restart of cloudcore. */
async function reconnects(context: BenchContext, { system, edge, proxy }: Parts, count: number): Promise<void> {
  const bytes = async (figure: string, back: () => Promise<void>) => {
    const [wall, monotonic] = [Date.now(), performance.now()]
    proxy.reset()
    await back()
    const inSync = await edge.said('in sync', wall)
    await quietLink(proxy, monotonic)
    const { up, down } = proxy.bytes
    context.figure(figure, up + down, 'bytes', `TCP payload: ${up} up, ${down} down, MQTT included, no TLS`)
    return inSync
  }
  context.say(`reconnects with ${count} objects`)
  await settled({ system, edge, proxy })
  proxy.cut()
  await pause(200)
  await bytes(`link cut, ${count} objects`, async () => proxy.restore())
  await system.cloudcore.stop()
  const started = Date.now()
  const inSync = await bytes(`cloudcore restarted, ${count} objects`, () => system.startCloudcore())
  const conditions = 'process started → edge in sync, its back-off included'
  context.figure(`cloudcore restarted, ${count} objects, in sync`, (inSync - started) / 1000, 's', conditions)
}

/** Waits until nothing has passed for two seconds. */
async function quietLink(proxy: CountingProxy, since: number): Promise<void> {
  const deadline = since + 60_000
  while (performance.now() - Math.max(proxy.lastByteAt, since) < 2000) {
    if (performance.now() > deadline) throw new Error('the link is not quiet after 60 s')
    await pause(50)
  }
}

/** edgecore while it works as much as KubeEdge's can, and after it has worked as much as it can itself. */
async function loaded(context: BenchContext, { system, edge }: Parts): Promise<void> {
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
async function serving(context: BenchContext, { edge, proxy }: Parts, count: number): Promise<void> {
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
