import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bundlePath } from '../../scripts/build.ts'
import { conditionOf, statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { configMap, podOn, room, roomModel, secret } from '../support/manifests.ts'

const topic = (action: string) => `$hw/events/device/default/kitchen/${action}`
const kitchen = 'devices/default/kitchen'

test('a desired value goes from the API to the device and its answer comes back', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  await eventually(async () => conditionOf(await fleet.api.get('nodes/edge-1'), 'Ready')?.status === 'True')
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))

  const device = await edge.device()
  await device.subscribe(topic('twin/update/+'))
  await fleet.api.desire(kitchen, { target: '21' })
  const delta = await device.message(topic('twin/update/delta'))
  expect(delta.delta).toEqual({ target: '21' })
  expect(delta.twin.target).toMatchObject({ expected: { value: '21' }, metadata: { type: 'int' } })

  await device.publish(topic('twin/update'), {
    event_id: 'one',
    twin: { target: { actual: { value: '21' } }, temperature: { actual: { value: '19' } } },
  })
  const result = await device.message(topic('twin/update/result'))
  expect(result).toMatchObject({ event_id: 'one', twin: { target: { actual: { value: '21' } } } })
  const document = await eventually(() => device.on(topic('twin/update/document')).at(-1)?.body)
  expect(document.twin.temperature).toMatchObject({ last: null, current: { actual: { value: '19' } } })

  await eventually(async () => {
    const { target, temperature } = statusTwins(await fleet.api.get(kitchen))
    return target?.reported === '21' && target.desired === '21' && temperature?.reported === '19'
  })
  await eventually(async () => conditionOf(await fleet.api.get(kitchen), 'InSync')?.status === 'True')
})

test('a pod bound to one node is there with what it refers to, and nothing else is', async () => {
  const fleet = await Fleet.start({ nodes: ['edge-1', 'edge-2'] })
  const { api } = fleet
  await api.create(
    ...[configMap('settings', { colour: 'green' }), secret('keys', { password: 'open-sesame' })],
    ...[configMap('nobodys', { x: '1' }), secret('nobodys', { x: '2' })],
    podOn('web', 'edge-2', { configMap: 'settings', secret: 'keys' }),
  )
  const web = 'pods/default/web'
  const status = await eventually(async () => {
    const pod = await api.get(web)
    return pod.status.phase === 'Running' && conditionOf(pod, 'Ready')?.status === 'True' && pod.status
  })
  expect(JSON.stringify(status)).toContain('simulated')
  expect(await fleet.node('edge-2').keys()).toEqual(['configmaps/default/settings', web, 'secrets/default/keys'])
  expect(await fleet.node('edge-1').keys()).toEqual([])
  const [held] = await fleet.node('edge-2').get('secrets', '--show-secrets')
  expect(held.data).toEqual({ password: Buffer.from('open-sesame').toString('base64') })

  await api.patch('configmaps/default/settings', { data: { colour: 'blue' } })
  await eventually(async () => (await fleet.node('edge-2').get('configmaps'))[0]?.data.colour === 'blue')

  await api.remove(web)
  await eventually(async () => (await api.find(web)) === undefined)
  await eventually(async () => (await fleet.node('edge-2').keys()).length === 0)
})

test('offline: everything goes on, survives a kill -9, and both sides agree afterwards', async () => {
  const fleet = await Fleet.start({ nodes: ['edge-1', 'edge-2'], cloud: 'process', edges: 'process' })
  const edge = fleet.node('edge-1')
  await fleet.api.create(
    ...[roomModel(), room('kitchen', 'edge-1', { desired: { target: '21', lamp: 'off' } })],
    ...[configMap('settings', { colour: 'green' }), secret('keys', { password: 'open-sesame' })],
    podOn('web', 'edge-1', { configMap: 'settings', secret: 'keys' }),
  )
  await eventually(async () => (await fleet.api.get('pods/default/web')).status.phase === 'Running')
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).lamp?.desired === 'off')
  const startTime = (await fleet.api.get('pods/default/web')).status.startTime

  await fleet.stopCloud()
  const before = await edge.device()
  await before.subscribe(topic('twin/+/result'), topic('twin/update/delta'))
  const write = async (event_id: string, twin: unknown) => {
    await before.publish(topic('twin/update'), { event_id, twin })
    return eventually(() => before.seen.find(({ body }) => body?.event_id === event_id)?.body)
  }
  for (const value of ['15', '16', '17']) {
    const { code } = await write(`measured-${value}`, { temperature: { actual: { value } } })
    expect(code).toBeUndefined()
  }
  expect(await write('too-low', { target: { expected: { value: '1' } } })).toMatchObject({ code: 400 })
  await write('by-hand', { target: { expected: { value: '30' } }, lamp: { expected: { value: 'on' } } })
  await before.publish(topic('twin/get'), { event_id: 'read' })
  expect((await before.message(topic('twin/get/result'))).twin).toMatchObject({
    temperature: { actual: { value: '17' } },
    target: { expected: { value: '30' } },
  })

  await edge.stop('kill')
  await edge.start()
  expect(await edge.keys()).toEqual([
    ...['configmaps/default/settings', kitchen, 'pods/default/web', 'secrets/default/keys'],
  ])
  const [pod] = await edge.get('pods')
  expect(pod.status).toMatchObject({ phase: 'Running', startTime })
  const after = await edge.device()
  await after.subscribe(topic('twin/get/result'))
  await after.publish(topic('twin/get'), { event_id: 'again' })
  expect((await after.message(topic('twin/get/result'))).twin).toMatchObject({
    temperature: { actual: { value: '17' } },
    target: { expected: { value: '30' } },
    lamp: { expected: { value: 'on' } },
  })
  const told = (await edge.get('outbox')).filter(({ report }) => report.is === 'event').map(({ report }) => report)
  expect(told.map(({ reason }) => reason)).toContain('WriteRefused')

  await fleet.startCloud()
  // The device's own choice stands until the cloud's next edit of that property.
  await eventually(async () => {
    const { temperature, target, lamp } = statusTwins(await fleet.api.get(kitchen))
    return temperature?.reported === '17' && target?.desired === '30' && lamp?.desired === 'on'
  })
  await fleet.api.desire(kitchen, { target: '25' })
  await eventually(async () => {
    const { target, lamp } = statusTwins(await fleet.api.get(kitchen))
    return target?.desired === '25' && lamp?.desired === 'on'
  })
  expect((await edge.twins())['default/kitchen/target']?.desired).toBe('25')
  await eventually(async () => (await edge.get('outbox')).length === 0)
  const events = await fleet.api.list('events')
  for (const { id, reason } of told) {
    expect(events.filter(({ metadata }) => metadata.name === id).map((event) => event.reason)).toEqual([reason])
  }
  expect(events.filter(({ reason }) => reason === 'WriteRefused')).toHaveLength(1)
}, 120_000)

test('edgecore get reads the store, whether edgecore runs or not', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  await fleet.api.create(configMap('settings', { a: '1' }), podOn('web', 'edge-1', { configMap: 'settings' }))
  await eventually(async () => (await fleet.api.get('pods/default/web')).status.phase === 'Running')
  const get = async () => {
    const argv = [bundlePath('edgecore'), 'get', 'pods', '--data', edge.data]
    return (await promisify(execFile)(process.execPath, argv)).stdout
  }
  expect(await get()).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE\nweb +1\/1 +Running +0 +\d+s\n$/)
  await edge.stop()
  expect(await get()).toMatch(/web +1\/1 +Running/)
})
