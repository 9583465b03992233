import { closeSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'
import { conditionOf, statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import type { Body } from '../support/kube.ts'
import { configMap, podOn, room, roomModel } from '../support/manifests.ts'

const kitchen = 'devices/default/kitchen'
const topic = (action: string, device = 'default/kitchen') => `$hw/events/device/${device}/${action}`

/** A fleet with a kitchen that is reported at 19 and wanted at 21. */
async function withKitchen(): Promise<Fleet> {
  const fleet = await Fleet.start()
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1', { desired: { target: '21' } }))
  await eventually(async () => (await fleet.node('edge-1').twins())['default/kitchen/target']?.desired === '21')
  return fleet
}

function causes({ body }: { body: Body }): Record<string, string> {
  return Object.fromEntries(body.details.causes.map(({ field, message }: Body) => [field, message]))
}

test('a manifest that the schema refuses gets Invalid with field paths', async () => {
  const { api } = await Fleet.start()
  // Older clusters do not say which item of a list it is.
  const counts = (await api.minor()) >= 25
  const fields = (...all: string[]) => (counts ? all : all.map((one) => one.replaceAll(/\[\d+\]/g, '')))
  const model = roomModel()
  const properties = [{ name: 'temperature', type: 'NUMBER', accessMode: 'Sometimes' }]
  const refused = await api.post({ ...model, spec: { properties } } as KubeObject)
  expect(refused.body).toMatchObject({ kind: 'Status', code: 422, reason: 'Invalid' })
  expect(Object.keys(causes(refused)).sort()).toEqual(
    fields('spec.properties[0].accessMode', 'spec.properties[0].type'),
  )
  expect(causes(refused)[fields('spec.properties[0].type').join()]).toContain('"INT"')

  await api.create(model, room('kitchen', 'edge-1'))
  const device = { ...room('hall', 'edge-1'), spec: { nodeName: 7, properties: [{ desired: { value: 21 } }] } }
  const wrong = await api.post(device as unknown as KubeObject)
  expect(wrong.code).toBe(422)
  expect(Object.keys(causes(wrong))).toEqual(
    expect.arrayContaining(fields('spec.nodeName', 'spec.properties[0].name', 'spec.properties[0].desired.value')),
  )
  const patched = await api.tryPatch(kitchen, { spec: { properties: [{ name: 'target', reportCycle: 'often' }] } })
  expect(Object.keys(causes(patched))).toEqual(fields('spec.properties[0].reportCycle'))
  const pod = await api.post({ ...podOn('web', 'edge-1'), spec: { nodeName: 'edge-1', containers: [] } })
  expect(Object.keys(causes(pod))).toEqual(['spec.containers'])
})

test('a device without a model or on an unknown node stays visible and says what is missing', async () => {
  const fleet = await Fleet.start()
  const { api } = fleet
  await eventually(() => api.find('nodes/edge-1'))
  await api.create(roomModel(), room('no-model', 'edge-1', { model: 'ruum' }), room('no-node', 'edge-7'))
  const ready = (name: string, reason: string) =>
    eventually(async () => {
      const condition = conditionOf(await api.get(`devices/default/${name}`), 'Ready')
      return condition?.reason === reason && condition
    })
  expect(await ready('no-model', 'ModelNotFound')).toMatchObject({
    status: 'False',
    message: 'DeviceModel ruum does not exist in namespace default',
  })
  expect(await ready('no-node', 'NodeNotFound')).toMatchObject({
    status: 'False',
    message: 'node edge-7 does not exist',
  })
  // What was missing comes, and all is well.
  await api.create(roomModel('ruum'))
  expect(await ready('no-model', 'Synced')).toMatchObject({ status: 'True' })
  // The same for a property that the model does not have, and for one that it loses and gets back.
  await api.patch('devices/default/no-node', { spec: { nodeName: 'edge-1', properties: [{ name: 'tempreature' }] } })
  expect(await ready('no-node', 'PropertyNotInModel')).toMatchObject({
    status: 'False',
    message: 'DeviceModel room has no property tempreature',
  })
  await api.patch('devices/default/no-node', { spec: { properties: [{ name: 'temperature' }] } })
  await ready('no-node', 'Synced')
  await api.patch('devicemodels/default/room', { spec: { properties: [{ name: 'lamp', type: 'STRING' }] } })
  await ready('no-node', 'PropertyNotInModel')
  await api.patch('devicemodels/default/room', { spec: roomModel().spec })
  await ready('no-node', 'Synced')
})

test('malformed MQTT payloads get their 400 where the sender listens', async () => {
  const fleet = await withKitchen()
  const edge = fleet.node('edge-1')
  const device = await edge.device()
  await device.subscribe('$hw/events/#')
  const malformed = ['{"twin":', 'null', '[]', '"text"', Buffer.of(0xff, 0xfe), '{"event_id":7,"twin":{}}']
  let count = 0
  for (const action of ['twin/update', 'state/update']) {
    count = 0
    for (const payload of malformed) {
      await device.publish(topic(action), payload)
      expect(await device.message(topic(`${action}/result`), ++count)).toMatchObject({ code: 400 })
    }
  }
  await device.publish(topic('twin/get'), '{"event_id":')
  expect(await device.message(topic('twin/get/result'))).toMatchObject({ code: 400 })
  await device.publish('$hw/events/node/edge-1/membership/get', '{')
  expect(await device.message('$hw/events/node/edge-1/membership/get/result')).toMatchObject({ code: 400 })
  // The one-level form answers on its own topic, too.
  await device.publish(topic('twin/update', 'kitchen'), 'x')
  expect(await device.message(topic('twin/update/result', 'kitchen'))).toMatchObject({ code: 400 })
  await device.publish(topic('twin/update', 'default/cellar'), { twin: {} })
  expect(await device.message(topic('twin/update/result', 'default/cellar'))).toMatchObject({ code: 404 })

  await device.publish(topic('twin/update'), { event_id: 'good', twin: { temperature: { actual: { value: '19' } } } })
  await eventually(() => device.on(topic('twin/update/result')).some(({ body }) => body.event_id === 'good'))
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '19')
})

test('a wrong type or range or a write to a read-only property is refused, and the old value stays', async () => {
  const fleet = await withKitchen()
  const edge = fleet.node('edge-1')
  const device = await edge.device()
  await device.subscribe(topic('twin/update/result'))
  const answers: Body[] = []
  const write = async (twin: unknown) => {
    await device.publish(topic('twin/update'), { event_id: `${answers.length}`, twin })
    answers.push(await device.message(topic('twin/update/result'), answers.length + 1))
    return answers.at(-1)
  }
  expect((await write({ temperature: { actual: { value: '19' } } })).code).toBeUndefined()
  const before = await edge.twins()
  const refusals: [unknown, string, RegExp][] = [
    [{ temperature: { actual: { value: 'warm' } } }, 'temperature', /not int/],
    [{ target: { expected: { value: '4' } } }, 'target', /below the minimum 5/],
    [{ target: { expected: { value: '1000000001' } } }, 'target', /above the maximum/],
    [{ temperature: { expected: { value: '22' } } }, 'temperature', /read-only/],
    [{ lamp: { actual: { value: 'on' } }, target: { actual: { value: '4.5' } } }, 'target', /not int/],
  ]
  for (const [twin, property, reason] of refusals) {
    expect(await write(twin)).toMatchObject({ code: 400, property, reason: expect.stringMatching(reason) })
  }
  expect(await edge.twins()).toEqual(before)

  await fleet.api.desire(kitchen, { target: '3' })
  const ready = await eventually(async () => {
    const condition = conditionOf(await fleet.api.get(kitchen), 'Ready')
    return condition?.reason === 'DesiredInvalid' && condition
  })
  expect(ready.message).toBe('desired value of target: the value 3 is below the minimum 5')
  const event = await eventually(async () => {
    return (await fleet.api.list('events')).find(({ reason }) => reason === 'DesiredRefused')
  })
  expect(event).toMatchObject({ type: 'Warning', involvedObject: { kind: 'Device', name: 'kitchen' } })
  expect(await edge.twins()).toEqual(before)
  expect(statusTwins(await fleet.api.get(kitchen)).target?.desired).toBe('21')
})

function overwrite(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}

test('a corrupt database is set aside and rebuilt from the cloud', async () => {
  const fleet = await Fleet.start({ edges: 'process' })
  const edge = fleet.node('edge-1')
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1', { desired: { target: '21' } }))
  await fleet.api.create(configMap('settings', { a: '1' }), podOn('web', 'edge-1', { configMap: 'settings' }))
  const keys = ['configmaps/default/settings', kitchen, 'pods/default/web']
  await eventually(async () => (await edge.keys()).join() === keys.join())
  await eventually(async () => (await fleet.api.get('pods/default/web')).status.phase === 'Running')

  const path = join(edge.data, 'edge.db')
  const aside = () => readdirSync(edge.data).filter((name) => /^edge\.db\.corrupt-[^-]+-[^.]+Z$/.test(name))
  const damage: [string, () => void][] = [
    ['pages of noise', () => overwrite(path, statSync(path).size - 8192, Buffer.alloc(8192, 0xa5))],
    ['no database at all', () => writeFileSync(path, 'oops'.repeat(4096))],
  ]
  for (const [count, [, spoil]] of damage.entries()) {
    // A clean stop brings all pages into the file, the kill leaves it marked as in use.
    await edge.stop()
    await edge.start()
    await edge.stop('kill')
    spoil()
    await edge.start()
    await eventually(async () => (await edge.keys()).join() === keys.join())
    await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === '21')
    expect(aside()).toHaveLength(count + 1)
    expect(edge.edge.lines.filter(({ msg }) => msg === 'damaged database replaced')).toHaveLength(1)
    await fleet.level()
  }
  await eventually(async () => (await edge.get('outbox')).length === 0)
})
