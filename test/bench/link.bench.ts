import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './harness.ts'
import { cuts } from './link/cuts.ts'
import { down } from './link/down.ts'
import { firstSyncs } from './link/first-syncs.ts'
import type { Linked } from './link/linked.ts'
import { many } from './link/many.ts'
import { reconnects } from './link/reconnects.ts'
import { reports } from './link/reports.ts'
import { writes } from './link/writes.ts'
import { Loads } from './load/loads.ts'
import { parts as outbox } from './outbox.bench.ts'
import { sensor, sensorModel, sensors } from './support/manifests.ts'
import { CountingProxy } from './support/proxy.ts'
import { System } from './support/system.ts'

export const name = 'link'

/** Each on a system of its own. */
export const parts = { near, far, many, backlog: outbox.backlog }

/** One node, warm: from the API to the edge, and from its devices to the API. */
async function near(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    await system.kube.create([sensorModel])
    const edge = await system.edge('edge-1')
    const reporters = context.quick ? 10 : 100
    await edge.up()
    await system.kube.create([
      ...[sensor('bench', 'edge-1'), ...sensors('reporter', reporters, 'edge-1'), ...sensors('sensor', 30, 'edge-1')],
    ])
    await down(context, system, edge)
    await reports(context, system, edge, reporters)
    await writes(context, system, new Loads(context, edge))
  })
}

/** What goes through a link whose bytes are counted and which is cut. */
async function far(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    const proxy = await CountingProxy.open(system.linkPort)
    try {
      await system.kube.create([sensorModel])
      const linked: Linked = { system, proxy, edge: await system.edge('edge-2', proxy.port) }
      await linked.edge.up()
      await idleMinute(context, linked)
      const devices = context.quick ? 150 : 900
      await firstSyncs(context, linked, devices)
      await cuts(context, linked)
      // With the model it is a thousand objects.
      const all = context.quick ? devices : 999
      await system.kube.create(sensors('first', all, 'edge-2').slice(devices))
      await reconnects(context, linked, all + 1)
    } finally {
      await proxy.close()
    }
  })
}

async function idleMinute(context: BenchContext, { system, proxy }: Linked): Promise<void> {
  const seconds = context.quick ? 10 : 60
  await system.quiet()
  context.say(`idle for ${seconds} s`)
  proxy.reset()
  await pause(seconds * 1000)
  const { up, down } = proxy.bytes
  const conditions = `TCP payload over ${seconds} s, keep-alive included: ${up} up, ${down} down, no TLS`
  context.figure('idle minute', ((up + down) * 60) / seconds, 'bytes', conditions)
}
