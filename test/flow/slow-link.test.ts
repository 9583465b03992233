import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { configMap, podOn, room, roomModel } from '../support/manifests.ts'

const kitchen = 'devices/default/kitchen'
const update = '$hw/events/device/default/kitchen/twin/update'
/** 1 MiB that packs to half of it: half a minute at 20 kB/s. */
const large = randomBytes(512 * 1024).toString('hex')
/** Only a machine that has much else to do needs as long. */
const patient = { within: 60_000 }

test('a ConfigMap of 1 MiB on a link of 20 kB/s holds up neither reports nor desired values', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  const { api } = fleet
  await api.create(roomModel(), room('kitchen', 'edge-1'), configMap('large', { text: 'small' }))
  await api.create(podOn('web', 'edge-1', { configMap: 'large' }))
  await eventually(async () => (await edge.keys()).length === 3)
  const connections = edge.link.connections + 1
  edge.link.cut()
  edge.link.narrow(20_000)
  // Until the broker hears of the cut, the node still counts as level.
  await eventually(() => edge.link.connections === connections)
  await fleet.level()
  const before = edge.link.carried.down
  const text = async () => (await edge.get('configmaps'))[0].data.text

  await api.patch('configmaps/default/large', { data: { text: large } })
  await eventually(() => edge.link.carried.down - before > 10_000)
  const device = await edge.device()
  for (const value of ['18', '19', '20']) {
    await device.publish(update, { twin: { temperature: { actual: { value } } } })
  }
  await api.desire(kitchen, { target: '22' })
  await eventually(async () => statusTwins(await api.get(kitchen)).temperature?.reported === '20', patient)
  await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === '22', patient)
  expect(await text()).toBe('small')

  edge.link.heal()
  await eventually(async () => (await text()) === large, patient)
  await fleet.level()
  expect(edge.link.connections).toBe(connections)
}, 180_000)
