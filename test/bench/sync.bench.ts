import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, percentile } from './harness.ts'
import type { EdgeRows } from './support/edge-rows.ts'
import type { Written } from './support/kube-client.ts'
import { configMap, devicesPath, deviceTopic, pod, report, sensor, sensorModel, sensors } from './support/manifests.ts'
import { CountingProxy } from './support/proxy.ts'
import { RawClient } from './support/raw-mqtt.ts'
import { type Edge, System, statusInterval } from './support/system.ts'

export const name = 'sync'

/** How desired state comes to the edge and reports to the API, and what a link that comes and goes does to it. */
export async function run(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    await system.kube.create([sensorModel])
    const near = await system.edge('edge-1')
    const reporters = context.quick ? 20 : 100
    await near.up()
    await system.kube.create([sensor('bench', 'edge-1'), ...sensors('reporter', reporters, 'edge-1')])
    await down(context, system, near)
    await reports(context, system, near, reporters)
    await near.stop()
    await proxied(context, system)
  })
}

/** A write to the API until it is committed at the edge, one at a time. */
async function down(context: BenchContext, system: System, edge: Edge): Promise<void> {
  await system.kube.create([configMap('bench'), pod('bench', edge.nodeName, 'bench')])
  const rows = edge.rows()
  await rows.counts('', 4)
  await system.quiet()
  const rounds = context.quick ? 25 : 150
  const writes = { context, rows, rounds }
  context.say(`${rounds} writes each to a ConfigMap, a Pod and a Device`)
  await writesTo(writes, 'ConfigMap', 'configmaps/default/bench', (value) =>
    system.kube.patch('/api/v1/namespaces/default/configmaps/bench', 'merge', { data: { value } }),
  )
  await writesTo(writes, 'Pod annotation', 'pods/default/bench', (value) =>
    system.kube.patch('/api/v1/namespaces/default/pods/bench', 'merge', { metadata: { annotations: { value } } }),
  )
  const deltas = await Deltas.open(edge, 'bench')
  await writesTo(writes, 'Device desired', 'devices/default/bench', (value) => {
    deltas.expect(value)
    return system.kube.patch(`${devicesPath}/bench`, 'json', desire(value)).then(deltas.note)
  })
  await deltas.settled()
  context.percentiles('desired answered → MQTT delta', deltas.samples, 'ms', 'a device that subscribes, QoS 1')
  deltas.close()
  rows.close()
}

const desire = (value: string) => [{ op: 'add', path: '/spec/properties/1/desired/value', value }]

/** One kind of write, `rounds` times. */
async function writesTo(
  { context, rows, rounds }: { context: BenchContext; rows: EdgeRows; rounds: number },
  what: string,
  key: string,
  write: (value: string) => Promise<Written>,
): Promise<void> {
  const fromSent: number[] = []
  const fromAnswered: number[] = []
  for (let round = 0; round < rounds; round++) {
    const value = `${what[0]}${round}.`
    const seen = rows.holds(key, `"${value}"`)
    const { sent, answered } = await write(value)
    const at = await seen
    fromSent.push(at - sent)
    fromAnswered.push(Math.max(0, at - answered))
    await pause(10)
  }
  const conditions = 'one write at a time, row seen by a second connection'
  context.percentiles(`${what} answered → at the edge`, fromAnswered, 'ms', conditions)
  context.percentiles(`${what} sent → at the edge`, fromSent, 'ms', conditions)
}

/** The deltas that a device gets for the desired values written to it. */
class Deltas {
  readonly samples: number[] = []
  readonly #at = new Map<string, number>()
  readonly #pending = new Map<string, Written>()
  #client: RawClient | undefined
  #value = ''

  static async open({ mqttPort }: Edge, device: string): Promise<Deltas> {
    const deltas = new Deltas()
    const onMessage = (_topic: string, payload: Buffer) => deltas.#take(payload.toString())
    deltas.#client = await RawClient.connect({ port: mqttPort, clientId: device, onMessage })
    await deltas.#client.subscribe(deviceTopic(device, 'twin/update/delta'))
    return deltas
  }

  expect(value: string): void {
    this.#value = value
  }

  note = (written: Written): Written => {
    this.#pending.set(this.#value, written)
    this.#match(this.#value)
    return written
  }

  /** Resolves when every desired value has come as a delta; rejects where one does not. */
  async settled(): Promise<void> {
    for (let wait = 0; this.#pending.size > 0; wait++) {
      if (wait === 500) throw new Error(`no delta for desired ${[...this.#pending.keys()].join(', ')}`)
      await pause(10)
    }
  }

  close(): void {
    this.#client?.close()
  }

  #take(text: string): void {
    const { delta } = JSON.parse(text) as { delta: { switch?: string } }
    if (delta.switch === undefined) return
    this.#at.set(delta.switch, performance.now())
    this.#match(delta.switch)
  }

  #match(value: string): void {
    const [at, written] = [this.#at.get(value), this.#pending.get(value)]
    if (at === undefined || written === undefined) return
    this.samples.push(Math.max(0, at - written.answered))
    this.#pending.delete(value)
  }
}

/** A device's report until a watch of the API shows it, on a quiet system: each device reports once. */
async function reports(context: BenchContext, system: System, edge: Edge, count: number): Promise<void> {
  // What was written of a device within the status interval holds up the next write of it.
  await system.quiet(statusInterval + 1000)
  const client = await RawClient.connect({ port: edge.mqttPort, clientId: 'reporter' })
  const waiting = new Map<string, (at: number) => void>()
  const end = await system.kube.watch(devicesPath, ({ object }) => {
    const text = JSON.stringify(object.status ?? {})
    for (const [value, seen] of waiting) if (text.includes(`"${value}"`)) seen(performance.now())
  })
  context.say(`${count} reports of as many devices`)
  const samples: number[] = []
  for (let index = 0; index < count; index++) {
    const value = `${index}.25`
    const seen = new Promise<number>((resolve) => waiting.set(value, resolve))
    const sent = performance.now()
    client.publish(deviceTopic(`reporter-${index}`, 'twin/update'), report(value, String(index)))
    const at = await Promise.race([seen, pause(10_000, undefined)])
    waiting.delete(value)
    if (at !== undefined) samples.push(at - sent)
    await pause(100)
  }
  end()
  client.close()
  const lost = count - samples.length
  context.percentiles('device report → API', samples, 'ms', 'quiet system, twin/update published → watch event')
  context.figure('device reports lost', lost, 'reports', `of ${count}, none within 10 s`)
  if (lost > 0) context.wrong(`${lost} of ${count} device reports did not reach the API within 10 s`)
}

/** What goes through a link whose bytes are counted and which is cut. */
async function proxied(context: BenchContext, system: System): Promise<void> {
  const proxy = await CountingProxy.open(system.linkPort)
  const edge = await system.edge('edge-2', proxy.port)
  const many = context.quick ? 200 : 900
  try {
    await edge.up()
    await created(context, system, edge, { from: 0, to: 99 })
    await firstSync(context, { system, edge, proxy, count: 99 })
    await created(context, system, edge, { from: 99, to: many })
    await firstSync(context, { system, edge, proxy, count: many })
    await cuts(context, { system, edge, proxy })
  } finally {
    await proxy.close()
  }
}

/** Creates devices while their node is linked. */
async function created(
  context: BenchContext,
  system: System,
  edge: Edge,
  { from, to }: { from: number; to: number },
): Promise<void> {
  const rows = edge.rows()
  const devices = sensors('first', to, edge.nodeName).slice(from)
  context.say(`creating ${devices.length} devices`)
  const began = performance.now()
  const there = rows.counts('devices/default/first-', to)
  await system.kube.create(devices)
  const answered = performance.now()
  const conditions = `${devices.length} devices, 16 requests at once, their node linked`
  context.figure(`creating ${devices.length} devices`, (answered - began) / 1000, 's', conditions)
  context.figure(`last of ${devices.length} devices created → at the edge`, (await there) - answered, 'ms', conditions)
  rows.close()
  await system.quiet()
}

/** An edge with an empty database comes to a cloud that has everything for it. */
async function firstSync(
  context: BenchContext,
  { system, edge, proxy, count }: { system: System; edge: Edge; proxy: CountingProxy; count: number },
): Promise<void> {
  await edge.stop()
  edge.wipe()
  proxy.reset()
  context.say(`first sync of ${count} devices`)
  const since = edge.start()
  await edge.said('link up', since)
  const rows = edge.rows()
  const at = await rows.counts('devices/default/first-', count)
  const seconds = (at - proxy.lastConnectAt) / 1000
  rows.close()
  await system.quiet()
  const { up, down } = proxy.bytes
  const figure = `first sync of ${count} devices`
  context.figure(figure, seconds, 's', 'empty edge: connection accepted → last row committed')
  context.figure(`${figure}, down`, down / 1000, 'kB', 'TCP payload, MQTT included, no TLS, until all is quiet')
  context.figure(`${figure}, up`, up / 1000, 'kB', 'the same: inventory, confirmations, reports')
}

/** Cuts the link for a while and changes something meanwhile. */
async function cuts(
  context: BenchContext,
  { system, edge, proxy }: { system: System; edge: Edge; proxy: CountingProxy },
): Promise<void> {
  const rows = edge.rows()
  const rounds = context.quick ? 1 : 5
  const reconnected: number[] = []
  const arrived: number[] = []
  context.say(`cutting the link ${rounds} times`)
  for (let round = 0; round < rounds; round++) {
    proxy.cut()
    await pause(context.quick ? 1000 : 3000)
    const value = `cut${round}.`
    await system.kube.patch(`${devicesPath}/first-7`, 'json', desire(value))
    const seen = rows.holds('devices/default/first-7', `"${value}"`)
    proxy.restore()
    const [monotonic, wall] = [performance.now(), Date.now()]
    arrived.push(((await seen) - monotonic) / 1000)
    reconnected.push(((await edge.said('link up', wall)) - wall) / 1000)
  }
  rows.close()
  const conditions = `refused for 3 s, then let through, ${rounds} times; a try follows at random within 4 s`
  spread(context, 'link back → reconnected', reconnected, conditions)
  spread(context, 'change during a cut → at the edge', arrived, conditions)
}

function spread(context: BenchContext, figure: string, samples: readonly number[], conditions: string): void {
  context.figure(`${figure}, median`, percentile(samples, 0.5), 's', conditions)
  context.figure(`${figure}, longest`, Math.max(...samples), 's', conditions)
}
