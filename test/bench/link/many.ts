import { setTimeout as pause } from 'node:timers/promises'
import { asArray } from '@kedge/shared/kubeapi/schema'
import type { KubeObject } from '@kedge/shared/objects'
import { type BenchContext, processorSeconds, settledMemory } from '../harness.ts'
import { configMap, pod, secret, sensor, sensorModel } from '../support/manifests.ts'
import { ManyEdges } from '../support/many-edges.ts'
import { System } from '../support/system.ts'

const nodeName = (index: number) => `edge-${index}`
const what = 'whole edgecores in one process, their databases in memory'

/** One cloudcore with a thousand nodes. */
export async function many(context: BenchContext): Promise<void> {
  const count = context.quick ? 50 : 1000
  await System.run(async (system) => {
    context.say(`creating what ${count} nodes need`)
    await system.kube.create([sensorModel, ...Array.from({ length: count }, (_, index) => needs(index)).flat()])
    await system.quiet()
    const { pid } = system.cloudcore
    const before = await settledMemory(pid, { looks: 3 })
    context.say(`${count} nodes come for the first time`)
    const nodes = Array.from({ length: count }, (_, index) => nodeName(index))
    const edges = await ManyEdges.start(nodes, system.linkPort)
    try {
      await level(system, count)
      await system.quiet(5000, 300_000)
      const after = await settledMemory(pid, { looks: 3 })
      const perNode = ((after.rss - before.rss) / count) * 1000
      const holds = 'each with a pod, its ConfigMap and Secret, and a device'
      context.figure(`${count} nodes, cloudcore, resident`, after.rss, 'MB', `${holds}; embedded API included`)
      context.figure(`${count} nodes, memory per node`, perNode, 'kB', `that less ${Math.round(before.rss)} MB before`)
      await idle(context, system, count)
      await changes(context, system, edges)
      await restart(context, system, count)
    } finally {
      await edges.stop()
    }
  })
}

function needs(index: number): KubeObject[] {
  const name = `app-${index}`
  const app = pod(name, nodeName(index), name)
  const volumes = [...asArray(app.spec?.volumes), { name: 'keys', secret: { secretName: name } }]
  const spec = { ...app.spec, volumes }
  return [configMap(name), secret(name), { ...app, spec }, sensor(name, nodeName(index))]
}

/** Resolves, with the monotonic time, once cloudcore knows of every node that it holds what it should. */
async function level(system: System, count: number): Promise<number> {
  const deadline = performance.now() + 300_000
  for (;;) {
    const now = performance.now()
    if ((await system.metric('kedge_cloud_nodes{state="level"}')) === count) return now
    if (now > deadline) throw new Error(`not all of ${count} nodes are in sync after 300 s`)
    // Its answer is not free: a line for each node and state.
    await pause(200)
  }
}

async function idle(context: BenchContext, system: System, count: number): Promise<void> {
  const seconds = context.quick ? 5 : 60
  context.say(`idle for ${seconds} s`)
  const before = processorSeconds(system.cloudcore.pid)
  await pause(seconds * 1000)
  const percent = ((processorSeconds(system.cloudcore.pid) - before) / seconds) * 100
  const conditions = `over ${seconds} s; embedded API and broker included; ${what}`
  context.figure(`${count} nodes, cloudcore, idle processor`, percent, '% of a core', conditions)
}

/** A ConfigMap of one node after the other is edited, until it is committed there. */
async function changes(context: BenchContext, system: System, edges: ManyEdges): Promise<void> {
  const rounds = context.quick ? 20 : 300
  context.say(`${rounds} changes, each on another node`)
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    // A step that visits every node of a thousand before one comes again.
    const index = (round * 7) % edges.nodes.length
    const rows = edges.rows(nodeName(index))
    const value = `many${round}.`
    const seen = rows.holds(`configmaps/default/app-${index}`, `"${value}"`)
    const path = `/api/v1/namespaces/default/configmaps/app-${index}`
    const { answered } = await system.kube.patch(path, 'merge', { data: { value } })
    samples.push(Math.max(0, (await seen) - answered))
    rows.close()
    await pause(10)
  }
  const figure = `${edges.nodes.length} nodes, ConfigMap answered → at the edge`
  context.percentiles(figure, samples, 'ms', `one write at a time; ${what}`)
}

async function restart(context: BenchContext, system: System, count: number): Promise<void> {
  context.say('cloudcore restarts')
  await system.cloudcore.kill()
  const started = performance.now()
  await system.startCloudcore()
  const ready = performance.now()
  const seconds = ((await level(system, count)) - started) / 1000
  const conditions = `kill -9, then process started → cloudcore has heard from every node what it holds; it took its first connection after ${((ready - started) / 1000).toFixed(1)} s`
  context.figure(`${count} nodes, cloudcore restarted, in sync`, seconds, 's', conditions)
}
