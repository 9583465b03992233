import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'

const base = '$hw/events/device/default/lamp'

test('a report is kept, answered, told and reported upward', async () => {
  const node = await DeviceNode.start()
  await node.apply(model(), device('lamp'))
  const client = await (await node.connect()).subscribe(`${base}/#`)
  await client.publish(`${base}/twin/update`, {
    event_id: '123',
    timestamp: 1,
    twin: { temperature: { actual: { value: '21' } } },
  })
  const result = await client.message(`${base}/twin/update/result`)
  expect(result).toEqual({
    event_id: '123',
    timestamp: expect.any(Number),
    twin: {
      temperature: {
        actual: { value: '21', metadata: { timestamp: expect.any(Number) } },
        optional: true,
        metadata: { type: 'int' },
      },
    },
  })
  expect((await client.message(`${base}/twin/update/document`)).twin.temperature.last).toBeNull()
  expect(node.report('lamp')?.twins).toEqual({
    temperature: { type: 'int', reported: { value: '21', at: expect.any(Number) } },
  })
})
