import { expect, onTestFinished, test } from 'vitest'
import { conditionOf, statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { type Body, connect } from '../support/kube.ts'
import { podOn, room, roomModel } from '../support/manifests.ts'

const topic = (device: string, what: string) => `$hw/events/device/default/${device}/${what}/update`

/** Changes the schema of a kind of devices in the API, as somebody with an older or newer one would. */
async function redefine(fleet: Fleet, plural: string, change: (schema: Body) => void): Promise<void> {
  const kube = connect(fleet.kubeconfig, { embedded: true, stop: async () => {} })
  onTestFinished(() => kube.close())
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.devices.kubeedge.io`
  const { body } = await kube.get(path)
  for (const { name, schema } of body.spec.versions) if (name === 'v1beta1') change(schema.openAPIV3Schema)
  const reply = await kube.call({ method: 'PUT', path, body })
  expect(reply.code).toBe(200)
}

test('objects that a node cannot use say so in Kubernetes, until they are mended, and hold up no others', async () => {
  const strange = podOn('strange', 'edge-1')
  delete strange.spec?.containers
  const fleet = await Fleet.start({ holding: [strange] })
  const { api } = fleet
  const usable = async (pod: string) => conditionOf(await api.get(`pods/default/${pod}`), 'kedge.io/Usable')
  await eventually(() => api.find('nodes/edge-1'))
  for (const plural of ['devices', 'devicemodels']) {
    await redefine(fleet, plural, (schema) => {
      schema.properties.spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    })
  }
  const broken = room('broken', 'edge-1')
  const odd = roomModel('odd')
  await api.create(
    ...[podOn('web', 'edge-1'), roomModel(), room('kitchen', 'edge-1')],
    ...[
      { ...broken, spec: { ...broken.spec, properties: 'none' } },
      { ...odd, spec: { properties: [{ type: 'POTATO' }] } },
    ],
    room('odd', 'edge-1', { model: 'odd' }),
  )
  const ready = async () => conditionOf(await api.get('devices/default/broken'), 'Ready')
  const synced = async () => conditionOf(await api.get('devices/default/broken'), 'Synced')
  await eventually(async () => (await synced())?.reason === 'Refused')
  expect((await ready())?.message).toContain('spec.properties')
  const told = async (name: string) => {
    const events = await api.list('events')
    return events.find(({ reason, involvedObject }) => reason === 'RefusedByNode' && involvedObject.name === name)
  }
  expect((await eventually(() => told('odd'))).involvedObject.kind).toBe('DeviceModel')
  // The API takes no status of what it would not take itself.
  expect((await eventually(() => told('strange'))).message).toContain('spec.containers: missing')
  expect(await fleet.metric('kedge_cloud_objects{state="refused"}')).toBe(3)
  await eventually(async () => (await api.get('pods/default/web')).status.phase === 'Running')
  await eventually(async () => conditionOf(await api.get('devices/default/kitchen'), 'Ready')?.status === 'True')
  expect(await usable('web')).toBeUndefined()

  await api.patch('devices/default/broken', { spec: { properties: room('broken', 'edge-1').spec?.properties } })
  await eventually(async () => (await synced())?.status === 'True')
  await api.remove('pods/default/strange')
  await eventually(async () => (await fleet.metric('kedge_cloud_objects{state="refused"}')) === 1)
})

test('a report that Kubernetes refuses for good is set aside and shown, and holds up no others', async () => {
  const fleet = await Fleet.start()
  const { api } = fleet
  const edge = fleet.node('edge-1')
  await eventually(() => api.find('nodes/edge-1'))
  await api.create(roomModel(), room('kitchen', 'edge-1'), room('hall', 'edge-1'))
  await eventually(async () => (await edge.keys()).length === 2)
  let lastOnline: Body
  await redefine(fleet, 'devices', (schema) => {
    lastOnline = schema.properties.status.properties.state
    schema.properties.status.properties.state = { type: 'string', enum: ['asleep'] }
  })
  const device = await edge.device()
  await device.publish(topic('kitchen', 'state'), { state: 'online' })
  const aside = async () =>
    (await edge.get('outbox')).filter(({ refused }) => refused !== undefined && refused !== null)
  const [row] = await eventually(async () => (await aside()).length > 0 && aside())
  expect(row).toMatchObject({ subject: 'devices/default/kitchen', refused: expect.stringContaining('status.state') })
  const refused = async () => conditionOf(await api.get('nodes/edge-1'), 'ReportsRefused')
  expect(await eventually(refused)).toMatchObject({
    ...{ status: 'True', message: expect.stringMatching(/^1 report is set aside.*devices\/default\/kitchen/) },
  })
  expect(await fleet.metric('kedge_cloud_kube_refused_total')).toBeGreaterThan(0)
  await device.publish(topic('hall', 'twin'), { twin: { temperature: { actual: { value: '7' } } } })
  await eventually(async () => statusTwins(await api.get('devices/default/hall')).temperature?.reported === '7')

  await redefine(fleet, 'devices', (schema) => {
    schema.properties.status.properties.state = lastOnline
  })
  await device.publish(topic('kitchen', 'twin'), { twin: { temperature: { actual: { value: '8' } } } })
  await eventually(async () => {
    const kitchen = await api.get('devices/default/kitchen')
    return kitchen.status.state === 'online' && statusTwins(kitchen).temperature?.reported === '8'
  })
  await eventually(async () => (await edge.get('outbox')).length === 0)
})
