import { expect, test } from 'vitest'
import { statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import type { Body } from '../support/kube.ts'
import { room, roomModel } from '../support/manifests.ts'

const kitchen = 'devices/default/kitchen'
const update = '$hw/events/device/default/kitchen/twin/update'

test('values that are not written to Kubernetes yet can be read in cloudcore', async () => {
  const fleet = await Fleet.start({ statusInterval: 3_600_000 })
  const edge = fleet.node('edge-1')
  const page = (path: string) => fetch(`http://127.0.0.1:${fleet.cloud.metricsPort}${path}`)
  const read = async (path: string): Promise<Body> => (await page(path)).json()
  const value = async () => (await read(`/${kitchen}`)).twins[0]?.reported?.value
  await eventually(() => fleet.api.find('nodes/edge-1'))
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'), room('hall', 'edge-1'), room('far', 'edge-2'))
  await eventually(async () => (await edge.keys()).includes('devices/default/hall'))
  const device = await edge.device()
  const report = (temperature: string) =>
    device.publish(update, { twin: { temperature: { actual: { value: temperature } } } })
  await report('1')
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '1')

  await report('2')
  await eventually(async () => (await value()) === '2')
  expect(statusTwins(await fleet.api.get(kitchen)).temperature?.reported).toBe('1')
  expect(await read(`/${kitchen}`)).toMatchObject({ namespace: 'default', name: 'kitchen', node: 'edge-1', live: true })
  const names = (await read('/nodes/edge-1/twins')).map(({ name }: { name: string }) => name)
  expect(names.sort()).toEqual(['hall', 'kitchen'])
  for (const path of ['/devices/default/none', '/nodes/none/twins', '/nodes/edge-1/twins/kitchen', '/devices/kitchen'])
    expect([path, (await page(path)).status]).toEqual([path, 404])

  // What only cloudcore knew comes again from the edge, which keeps it until it is written.
  await fleet.stopCloud()
  await fleet.startCloud()
  await eventually(async () => (await value()) === '2' && (await read(`/${kitchen}`)).live)
})
