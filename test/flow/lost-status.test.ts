import { expect, test } from 'vitest'
import { statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { room, roomModel } from '../support/manifests.ts'

const kitchen = 'devices/default/kitchen'
const update = '$hw/events/device/default/kitchen/twin/update'

test('what a status loses comes back from the edge, whether cloudcore remembers it or not', async () => {
  const fleet = await Fleet.start({ statusInterval: 50 })
  const edge = fleet.node('edge-1')
  await eventually(() => fleet.api.find('nodes/edge-1'))
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  const device = await edge.device()
  await device.publish(update, { twin: { temperature: { actual: { value: '21' } } } })
  const value = async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported
  await eventually(async () => (await value()) === '21')

  const wipe = async () => {
    const { status } = await fleet.api.patchStatus(kitchen, { twins: [] })
    expect(status.twins).toEqual([])
  }
  await wipe()
  await eventually(async () => (await value()) === '21')

  await fleet.stopCloud()
  await fleet.startCloud()
  await fleet.level()
  await eventually(async () => (await edge.get('outbox')).length === 0)
  await wipe()
  await eventually(async () => (await value()) === '21')
})
