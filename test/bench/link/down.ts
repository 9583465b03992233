import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from '../harness.ts'
import type { EdgeRows } from '../support/edge-rows.ts'
import type { Written } from '../support/kube-client.ts'
import { configMap, desire, devicesPath, pod } from '../support/manifests.ts'
import type { Edge, System } from '../support/system.ts'
import { Deltas } from './deltas.ts'

/** A write to the API until it is committed at the edge, one at a time. */
export async function down(context: BenchContext, system: System, edge: Edge): Promise<void> {
  await system.kube.create([configMap('bench'), pod('bench', edge.nodeName, 'bench')])
  const rows = edge.rows()
  await rows.counts('', 4)
  await system.quiet()
  const rounds = context.quick ? 15 : 150
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
    const [{ sent, answered }, at] = await Promise.all([write(value), rows.holds(key, `"${value}"`)])
    fromSent.push(at - sent)
    fromAnswered.push(Math.max(0, at - answered))
    await pause(10)
  }
  const conditions = 'one write at a time, row seen by a second connection'
  context.percentiles(`${what} answered → at the edge`, fromAnswered, 'ms', conditions)
  context.percentiles(`${what} sent → at the edge`, fromSent, 'ms', conditions)
}
