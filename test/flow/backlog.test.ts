import { databasePath } from '@kedge/edgecore/settings'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { EventReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'
import { statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { room, roomModel } from '../support/manifests.ts'

const kitchen = 'devices/default/kitchen'
const update = '$hw/events/device/default/kitchen/twin/update'
/** More than may be on its way at once. */
const events = 1500

/** What a long time offline leaves in the outbox of a node. */
async function fillOutbox(data: string): Promise<void> {
  const store = Store.open({ path: databasePath(data), clock: systemClock, log: silentLog })
  const outbox = new Outbox(store.db, systemClock)
  await store.commit(() => {
    for (let number = 0; number < events; number++) outbox.add(backlog(number))
  })
  store.close()
}

function backlog(number: number): EventReport {
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  const id = `backlog-${String(number).padStart(6, '0')}`
  return { is: 'event', id, regarding, type: 'Normal', reason: 'Backlog', message: `${number}`, at: number, by: 'test' }
}

test('after a long time offline the final states come first, then all events, none twice', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  await eventually(() => fleet.api.find('nodes/edge-1'))
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  await fleet.level()
  edge.link.cut()
  await edge.stop()
  await fillOutbox(edge.data)
  await edge.start()
  const device = await edge.device()
  for (const value of ['1', '2', '3']) {
    await device.publish(update, { twin: { temperature: { actual: { value } } } })
  }
  await eventually(async () => (await fleet.metric('kedge_cloud_reports_pending')) === 0)
  const patient = { every: 100, within: 60_000 }
  const before = await fleet.metric('kedge_cloud_reports_total')

  edge.link.heal()
  const { metadata } = await eventually(async () => {
    const found = await fleet.api.get(kitchen)
    return statusTwins(found).temperature?.reported === '3' && found
  })
  await eventually(async () => (await fleet.metric('kedge_cloud_reports_total')) >= before + events, patient)
  await eventually(async () => (await edge.get('outbox')).length === 0, patient)
  const written = (await fleet.api.list('events')).filter(({ reason }) => reason === 'Backlog')
  // Versions of the embedded API count its writes: nearly all events were written after the device's last value.
  const earlier = written.filter((event) => Number(event.metadata.resourceVersion) < Number(metadata.resourceVersion))
  expect(earlier.length).toBeLessThan(events / 4)
  expect(new Set(written.map(({ message }) => message)).size).toBe(events)
  expect(written).toHaveLength(events)
  // Besides them the node and the device have something to say, some of it again.
  expect((await fleet.metric('kedge_cloud_reports_total')) - before).toBeLessThan(events + 20)
  expect(await fleet.metric('kedge_cloud_reports_untaken_total')).toBe(0)
})
