import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, percentile } from '../harness.ts'
import { desire, devicesPath, sensors } from '../support/manifests.ts'
import { CountingProxy } from '../support/proxy.ts'
import type { Edge, System } from '../support/system.ts'

/** What goes through a link whose bytes are counted and which is cut. */
export async function proxied(context: BenchContext, system: System): Promise<void> {
  const proxy = await CountingProxy.open(system.linkPort)
  const edge = await system.edge('edge-2', proxy.port)
  const many = context.quick ? 150 : 900
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
  const conditions = `refused for ${cutMs / 1000} s, then let through, ${rounds} times; the next try is at random within 4 s`
  spread(context, 'link back → reconnected', reconnected, conditions)
  spread(context, 'change during a cut → at the edge', arrived, conditions)
}

function spread(context: BenchContext, figure: string, samples: readonly number[], conditions: string): void {
  context.figure(`${figure}, median`, percentile(samples, 0.5), 's', conditions)
  context.figure(`${figure}, longest`, Math.max(...samples), 's', conditions)
}
