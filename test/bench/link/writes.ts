import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from '../harness.ts'
import { type Loads, names } from '../load/loads.ts'
import { devicesPath } from '../support/manifests.ts'
import { type System, statusInterval } from '../support/system.ts'
import { LiveValues } from './live-values.ts'

/** Steady reports: how often the API is written to, and whether the last value always arrives there. */
export async function writes(context: BenchContext, system: System, loads: Loads): Promise<void> {
  // The loads before have writes left that wait for their interval.
  await system.quiet(context.quick ? 1000 : statusInterval + 1000)
  const counted = () => system.metric('kedge_cloud_kube_writes_total')
  const before = await counted()
  const forMs = context.quick ? 5000 : 30_000
  const what = '30 devices × 3/s'
  const live = new LiveValues(system, 'edge-1')
  const steady = steadyRate(counted, forMs)
  const {
    last,
    sent,
    times = {},
  } = await loads.put(what, {
    ...{ devices: names(30), inFlight: 0, perSecond: 3, forMs, times: true },
  })
  const written = (await counted()) - before
  const conditions = `${sent} reports in ${forMs / 1000} s, status interval ${statusInterval / 1000} s, the first writes left out`
  context.figure(`${what}: status writes`, await steady, '1/s', conditions)
  const perInterval = (written / 30 - 1) / (forMs / statusInterval)
  context.figure(`${what}: writes per device and interval`, perInterval, 'writes', 'the first write left out')
  const ended = performance.now()
  const missing = await converged(system, last, 25_000)
  context.figure(`${what}: last values in the API`, (performance.now() - ended) / 1000, 's', 'after the last report')
  await live.stop()
  context.percentiles(
    `${what}: live in cloudcore`,
    live.lags(times),
    'ms',
    'report due → on its page, looked at every 20 ms',
  )
  if (missing.length > 0) context.wrong(`${what}: the last value of ${missing.join(', ')} is not in the API`)
}

/** Writes a second in the two thirds of a load that follow its first sixth: the first write of each device is out of it. */
async function steadyRate(counted: () => Promise<number>, forMs: number): Promise<number> {
  await pause(forMs / 6)
  const [before, since] = [await counted(), performance.now()]
  await pause((forMs * 2) / 3)
  return (((await counted()) - before) * 1000) / (performance.now() - since)
}

/** Waits until the API has the last value of every device; the names of those whose it lacks after `within` ms. */
async function converged(system: System, last: Readonly<Record<string, string>>, within: number): Promise<string[]> {
  const deadline = performance.now() + within
  let missing = Object.keys(last)
  while (missing.length > 0 && performance.now() < deadline) {
    await pause(100)
    const still: string[] = []
    for (const device of missing) {
      const { status } = await system.kube.get(`${devicesPath}/${device}`)
      if (!JSON.stringify(status ?? {}).includes(`"${last[device]}"`)) still.push(device)
    }
    missing = still
  }
  return missing
}
