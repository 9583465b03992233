import type { BenchContext } from '../harness.ts'
import { sensors } from '../support/manifests.ts'
import type { Linked } from './linked.ts'

/** What an edge with nothing costs, with 99 devices and with `many`; they stay. */
export async function firstSyncs(context: BenchContext, parts: Linked, many: number): Promise<void> {
  await created(context, parts, { from: 0, to: 99 })
  await firstSync(context, { ...parts, count: 99 })
  await created(context, parts, { from: 99, to: many })
  await firstSync(context, { ...parts, count: many })
}

/** Creates devices while their node is linked. */
async function created(
  context: BenchContext,
  { system, edge }: Linked,
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
  { system, edge, proxy, count }: Linked & { count: number },
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
