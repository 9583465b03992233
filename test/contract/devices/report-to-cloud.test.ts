import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'

const base = '$hw/events/device/default/lamp'

function lamp(reportToCloud: boolean | undefined, extra: Record<string, unknown> = {}): KubeObject {
  const properties = [{ name: 'level', reportToCloud, ...extra }, { name: 'led' }]
  return device('lamp', { properties })
}

const actual = (values: Record<string, string>) => ({
  twin: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { actual: { value } }])),
})

test('what is not to be reported to the cloud stays in the twin and on the topics', async () => {
  const node = await DeviceNode.start()
  await node.apply(model(), lamp(false))
  const client = await (await node.connect()).subscribe(`${base}/twin/#`)
  await client.publish(`${base}/twin/update`, actual({ level: '7', led: 'ON' }))
  expect((await client.message(`${base}/twin/update/document`)).twin.level.current.actual.value).toBe('7')
  await client.publish(`${base}/twin/get`, {})
  expect((await client.message(`${base}/twin/get/result`)).twin.level.actual.value).toBe('7')
  expect(Object.keys(node.report('lamp')?.twins ?? {})).toEqual(['led'])
})

test('its desired value is told; and the value as soon as the description allows it, and no longer when it does not', async () => {
  const node = await DeviceNode.start()
  await node.apply(model(), lamp(false, { desired: { value: '5' } }))
  const client = await node.connect()
  await client.publish(`${base}/twin/update`, actual({ level: '7' }))
  expect(node.report('lamp')?.twins?.level).toEqual({ type: 'int', desired: { value: '5', at: expect.any(Number) } })
  await node.apply(lamp(true, { desired: { value: '5' } }))
  expect(node.report('lamp')?.twins?.level?.reported?.value).toBe('7')
  await node.apply(lamp(false, { desired: { value: '5' } }))
  expect(node.report('lamp')?.twins?.level?.reported).toBeUndefined()
})

test('the state stays as well, where the description says so', async () => {
  const node = await DeviceNode.start()
  const quiet = device('lamp')
  await node.apply(model(), { ...quiet, spec: { ...(quiet.spec as object), stateReport: { reportToCloud: false } } })
  const client = await (await node.connect()).subscribe(`${base}/state/#`)
  await client.publish(`${base}/state/update`, { state: 'online' })
  expect((await client.message(`${base}/state/update/result`)).device.state).toBe('online')
  expect(node.report('lamp')).toBeUndefined()
})
