import type { BenchContext } from './harness.ts'
import { sensor, sensorModel, sensors } from './support/manifests.ts'
import { System } from './support/system.ts'
import { down } from './sync/down.ts'
import { proxied } from './sync/link.ts'
import { reports } from './sync/reports.ts'

export const name = 'sync'

/** How desired state comes to the edge and reports to the API, and what a link that comes and goes does to it. */
export async function run(context: BenchContext): Promise<void> {
  await System.run(async (system) => {
    await system.kube.create([sensorModel])
    const near = await system.edge('edge-1')
    const reporters = context.quick ? 10 : 100
    await near.up()
    await system.kube.create([sensor('bench', 'edge-1'), ...sensors('reporter', reporters, 'edge-1')])
    await down(context, system, near)
    await reports(context, system, near, reporters)
    await near.stop()
    await proxied(context, system)
  })
}
