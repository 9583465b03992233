import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, percentile } from '../harness.ts'
import type { CountingProxy } from '../support/proxy.ts'
import type { Linked } from './linked.ts'

/** Waits until cloudcore writes nothing and every report of the edge has been answered: nothing is left to say. */
async function settled({ system, edge }: Linked): Promise<void> {
  const rows = edge.rows()
  await system.quiet()
  await rows.answered()
  rows.close()
}

/** What a new connection costs where nothing has changed: after a cut of the link, and after a restart of cloudcore. */
export async function reconnects(context: BenchContext, linked: Linked, count: number): Promise<void> {
  const { proxy } = linked
  context.say(`reconnects with ${count} objects`)
  await settled(linked)
  proxy.cut()
  await pause(200)
  const { bytes, told } = await back(linked, async () => proxy.restore())
  context.figure(`link cut, ${count} objects`, bytes, 'bytes', told)
  await restarts(context, linked, count)
}

async function restarts(context: BenchContext, linked: Linked, count: number): Promise<void> {
  const { system } = linked
  const fromStart: number[] = []
  const fromReady: number[] = []
  const bytes: number[] = []
  const rounds = context.quick ? 1 : 5
  for (let round = 0; round < rounds; round++) {
    await settled(linked)
    await system.cloudcore.stop()
    const started = Date.now()
    let ready = started
    const found = await back(linked, async () => {
      await system.startCloudcore()
      ready = Date.now()
    })
    bytes.push(found.bytes)
    fromStart.push((found.inSync - started) / 1000)
    fromReady.push(Math.max(0, found.inSync - ready) / 1000)
  }
  const what = `cloudcore restarted, ${count} objects`
  const conditions = `its back-off included, median of ${rounds}`
  context.figure(what, percentile(bytes, 0.5), 'bytes', `TCP payload, MQTT included, no TLS, median of ${rounds}`)
  context.figure(`${what}, in sync`, percentile(fromStart, 0.5), 's', `process started → edge in sync, ${conditions}`)
  context.figure('cloudcore back → edge in sync', percentile(fromReady, 0.5), 's', `from its port open, ${conditions}`)
}

/** When the edge is in sync again, in milliseconds since the epoch, and the bytes that it took until the link is quiet. */
async function back(
  { edge, proxy }: Linked,
  recover: () => Promise<void>,
): Promise<{ inSync: number; bytes: number; told: string }> {
  const [wall, monotonic] = [Date.now(), performance.now()]
  proxy.reset()
  await recover()
  const inSync = await edge.said('in sync', wall)
  await quietLink(proxy, monotonic)
  const { up, down } = proxy.bytes
  return { inSync, bytes: up + down, told: `TCP payload: ${up} up, ${down} down, MQTT included, no TLS` }
}

/** Waits until nothing has passed for two seconds. */
async function quietLink(proxy: CountingProxy, since: number): Promise<void> {
  const deadline = since + 60_000
  while (performance.now() - Math.max(proxy.lastByteAt, since) < 2000) {
    if (performance.now() > deadline) throw new Error('the link is not quiet after 60 s')
    await pause(50)
  }
}
