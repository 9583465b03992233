import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { DeviceReport, EventReport } from '@kedge/shared/reports'
import { type BenchContext, memoryOf } from './harness.ts'
import { load } from './load/load.ts'
import { devicesPath, sensorModel, sensors } from './support/manifests.ts'
import { type Edge, System, statusInterval } from './support/system.ts'

export const name = 'outbox'

/** What waits at a node that was away, and what of it costs whom. */
export const parts = {
  adding,
  async backlog(context: BenchContext): Promise<void> {
    await System.run((system) => backlog(context, system))
  },
}

const devices = 10

/** The outbox alone, in this process: what one report costs, whatever else waits of its device. */
async function adding({ quick, figure }: BenchContext): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-outbox-'))
  const store = Store.open({ path: join(dir, 'edge.db'), clock: systemClock, log: silentLog })
  const outbox = new Outbox(store.db, systemClock)
  const rounds = quick ? 640 : 12_800
  for (const properties of [1, 20, 500]) {
    const device = `with-${properties}`
    await store.commit(() => {
      for (let property = 0; property < properties; property++)
        outbox.add(said({ name: device, uid: 'u' }, property, '0'))
    })
    const before = process.cpuUsage()
    for (let done = 0; done < rounds; done += 64) {
      await store.commit(() => {
        for (let at = done; at < done + 64; at++)
          outbox.add(said({ name: device, uid: 'u' }, at % properties, String(at % 97)))
      })
    }
    const { user, system } = process.cpuUsage(before)
    const conditions = `one property of ${properties} that wait changes, 64 reports a commit, ${rounds} reports`
    figure(`a report on a device of ${properties} properties`, (user + system) / rounds, 'µs of processor', conditions)
  }
  store.close()
  rmSync(dir, { recursive: true })
}

/** Many events and a few final states wait, then the link comes up. */
async function backlog(context: BenchContext, system: System): Promise<void> {
  const { quick, figure, say, wrong } = context
  const events = quick ? 2000 : 1_000_000
  await system.kube.create([sensorModel, ...sensors('sensor', devices + 1, 'edge-1')])
  const edge = await system.edge('edge-1', undefined, { 'outbox-bytes': '2Gi' })
  await edge.up()
  await system.quiet()
  await edge.stop()
  // A device whose status was written a moment ago waits for its interval.
  await pause(statusInterval)
  say(`${events} events wait`)
  await queue(edge, events, await uidsOf(system))

  const since = edge.start()
  const linked = await edge.said('link up', since)
  const first = await finalStates(system)
  figure(`${events} events wait: final states in the API`, (first - linked) / 1000, 's', 'after the link is up')

  say('local load beside the events')
  const forMs = quick ? 2000 : 60_000
  const counted = () => system.metric('kedge_cloud_kube_writes_total')
  const [before, beganAt] = [await counted(), performance.now()]
  let [edgeMost, cloudMost] = [0, 0]
  const watching = setInterval(() => {
    edgeMost = Math.max(edgeMost, memoryOf(edge.pid).rss)
    cloudMost = Math.max(cloudMost, memoryOf(system.cloudcore.pid).rss)
  }, 500)
  const { p50, p99 } = await load({
    port: edge.mqttPort,
    devices: [`sensor-${devices}`],
    inFlight: 1,
    perSecond: 50,
    forMs,
  })
  clearInterval(watching)
  const rate = ((await counted()) - before) / ((performance.now() - beganAt) / 1000)
  const conditions = `${forMs / 1000} s beside the backlog`
  figure(`${events} events wait: written to the API`, rate, '1/s', conditions)
  figure(`${events} events wait: local update p50`, p50, 'ms', `50/s, ${conditions}`)
  figure(`${events} events wait: local update p99`, p99, 'ms', `50/s, ${conditions}`)
  figure(`${events} events wait: edgecore, resident`, edgeMost, 'MB', `at most, ${conditions}`)
  figure(`${events} events wait: cloudcore, resident`, cloudMost, 'MB', `at most, with its API, ${conditions}`)

  await edge.stop()
  // What was on its way is decided by then.
  await pause(2000)
  const missing = await unaccounted(system, edge, events)
  if (missing > 0) wrong(`${missing} of ${events} events are neither in Kubernetes nor in the outbox`)
}

async function uidsOf(system: System): Promise<string[]> {
  const uids: string[] = []
  for (let index = 0; index < devices; index++) {
    const { metadata } = await system.kube.get(`${devicesPath}/sensor-${index}`)
    uids.push(metadata.uid ?? '')
  }
  return uids
}

/** Fills the outbox of an edge that does not run, by the product's own code. */
async function queue(edge: Edge, events: number, uids: readonly string[]): Promise<void> {
  const store = Store.open({ path: join(edge.data, 'edge.db'), clock: systemClock, log: silentLog })
  const outbox = new Outbox(store.db, systemClock, { bounds: { bytes: 2 ** 31, age: 1e12 } })
  for (let done = 0; done < events; done += 5000) {
    await store.commit(() => {
      for (let at = done; at < Math.min(events, done + 5000); at++) outbox.add(eventOf(at))
    })
  }
  await store.commit(() => {
    for (const [index, uid] of uids.entries()) outbox.add(said({ name: `sensor-${index}`, uid }, undefined, 'final'))
  })
  store.close()
}

function said(device: { name: string; uid: string }, property: number | undefined, value: string): DeviceReport {
  const name = property === undefined ? 'temperature' : `p${property}`
  return {
    ...{ is: 'device', namespace: 'default', ...device },
    twins: { [name]: { type: 'string', reported: { value, at: 1_700_000_000_000 } } },
  }
}

function eventOf(number: number): EventReport {
  return {
    ...{
      is: 'event',
      id: `backlog-${String(number).padStart(8, '0')}`,
      type: 'Normal',
      reason: 'Backlog',
      by: 'bench',
    },
    regarding: { apiVersion: 'v1', kind: 'Node', name: 'edge-1', uid: 'edge-1' },
    message: `event number ${number} of a long time without a link`,
    at: Date.now(),
  }
}

/** When the API has the final value of every device, in milliseconds since the epoch. */
async function finalStates(system: System): Promise<number> {
  for (let index = 0; index < devices; ) {
    const { status } = await system.kube.get(`${devicesPath}/sensor-${index}`)
    if (JSON.stringify(status ?? {}).includes('"final"')) index++
    else await pause(20)
  }
  return Date.now()
}

/** Events that are neither in Kubernetes nor in the outbox. Their names are their ids, so that none can be there twice. */
async function unaccounted(system: System, edge: Edge, events: number): Promise<number> {
  const store = Store.open({ path: join(edge.data, 'edge.db'), clock: systemClock, log: silentLog })
  const waiting = store.db.prepare("SELECT subject FROM outbox WHERE subject LIKE 'events/backlog-%'").all() as {
    subject: string
  }[]
  store.close()
  const known = new Set(waiting.map(({ subject }) => subject.slice('events/'.length)))
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page = (await system.kube.get(
      `/api/v1/namespaces/default/events?limit=5000&continue=${next}`,
    )) as unknown as {
      metadata: { continue?: string }
      items: { metadata: { name: string } }[]
    }
    for (const { metadata } of page.items) if (metadata.name.startsWith('backlog-')) known.add(metadata.name)
    next = page.metadata.continue || undefined
  }
  return events - known.size
}
