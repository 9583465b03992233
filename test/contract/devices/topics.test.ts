import { describe, expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { base, lamp, noDevice, short, time, uuid } from './lamp.ts'

const unreadable = 'Unmarshal update request body failed, please check the request'

describe('twin/update', () => {
  test('a report is kept, answered, told and reported upward', async () => {
    const { node, client } = await lamp()
    await client.publish(`${base}/twin/update`, {
      event_id: '123',
      timestamp: 1,
      twin: { temperature: { actual: { value: '21' } } },
    })
    expect(await client.message(`${base}/twin/update/result`)).toEqual({
      event_id: '123',
      timestamp: time,
      twin: {
        temperature: {
          actual: { value: '21', metadata: { timestamp: time } },
          optional: true,
          metadata: { type: 'int' },
        },
      },
    })
    expect(await client.message(`${base}/twin/update/document`)).toEqual({
      event_id: '123',
      timestamp: time,
      twin: {
        temperature: {
          last: null,
          current: {
            actual: { value: '21', metadata: { timestamp: time } },
            optional: true,
            metadata: { type: 'int' },
          },
        },
      },
    })
    await client.settled()
    expect(client.on(`${base}/twin/update/delta`)).toEqual([])
    expect(node.report('lamp')).toEqual({
      is: 'device',
      namespace: 'default',
      name: 'lamp',
      uid: 'uid-default-lamp',
      twins: { temperature: { type: 'int', reported: { value: '21', at: time } } },
    })
  })

  test('expected that differs from actual gives a delta with every expected property', async () => {
    const { client } = await lamp({ level: '50' })
    await client.publish(`${base}/twin/update`, {
      event_id: '1',
      twin: { led: { expected: { value: 'ON' }, actual: { value: 'OFF' } }, level: { actual: { value: '50' } } },
    })
    expect(await client.message(`${base}/twin/update/delta`)).toEqual({
      event_id: uuid,
      timestamp: time,
      twin: {
        led: {
          expected: { value: 'ON', metadata: { timestamp: time } },
          actual: { value: 'OFF', metadata: { timestamp: time } },
          optional: true,
          metadata: { type: 'string' },
        },
        level: {
          expected: { value: '50', metadata: { timestamp: time } },
          actual: { value: '50', metadata: { timestamp: time } },
          optional: true,
          metadata: { type: 'int' },
        },
      },
      delta: { led: 'ON' },
    })
  })

  test('an equal value gets its result and nothing else', async () => {
    const { node, client } = await lamp()
    const update = { event_id: '1', twin: { temperature: { actual: { value: '21' } } } }
    await client.publish(`${base}/twin/update`, update)
    const first = await client.message(`${base}/twin/update/result`)
    const before = node.outbox.all()
    await client.publish(`${base}/twin/update`, update)
    expect((await client.message(`${base}/twin/update/result`, 2)).twin).toEqual(first.twin)
    await client.settled()
    expect(client.on(`${base}/twin/update/document`)).toHaveLength(1)
    expect(node.outbox.all()).toEqual(before)
  })

  test('null deletes, and a later write begins anew with a type of its own', async () => {
    const { node, client } = await lamp()
    const write = (twin: unknown) => client.publish(`${base}/twin/update`, { event_id: 'e', twin })
    await write({ extra: { actual: { value: '1' }, metadata: { type: 'int' } } })
    await write({ extra: null })
    expect((await client.message(`${base}/twin/update/result`, 2)).twin).toEqual({ extra: null })
    const gone = await client.message(`${base}/twin/update/document`, 2)
    expect(gone.twin.extra.last.actual.value).toBe('1')
    expect(gone.twin.extra.current).toBeNull()
    expect(node.report('lamp')?.twins).toEqual({ extra: null })
    await client.publish(`${base}/twin/get`, {})
    expect((await client.message(`${base}/twin/get/result`)).twin).toEqual({})
    await write({ extra: { actual: { value: 'x' } } })
    const back = await client.message(`${base}/twin/update/document`, 3)
    expect(back.twin.extra.last).toBeNull()
    expect(back.twin.extra.current.metadata.type).toBe('string')
  })

  test('null for a property that never was is a success with an empty twin', async () => {
    const { client } = await lamp()
    await client.publish(`${base}/twin/update`, { event_id: 'e', twin: { never: null } })
    expect((await client.message(`${base}/twin/update/result`)).twin).toEqual({})
    expect((await client.message(`${base}/twin/update/document`)).twin).toEqual({
      never: { last: null, current: null },
    })
  })

  const refused: [string, unknown, string, string | undefined][] = [
    ['no JSON', '{"twin":', unreadable, undefined],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), unreadable, undefined],
    ['an array', '[]', unreadable, undefined],
    ['nothing at all', '', unreadable, undefined],
    ['no twin', { event_id: 'e' }, 'Update twin error, key:twin does not exist', undefined],
    ['a twin that is text', { event_id: 'e', twin: 'x' }, unreadable, undefined],
    ['a value that is a number', { event_id: 'e', twin: { led: { actual: { value: 1 } } } }, unreadable, 'led'],
    [
      'a key with a space',
      { event_id: 'e', twin: { 'a b': { actual: { value: '1' } } } },
      'The key of twin must only include upper or lowercase letters, number, english, and special letter - _ . , : / @ # and the length of key should be less than 128 bytes',
      'a b',
    ],
    [
      'no integer',
      { event_id: 'e', twin: { level: { actual: { value: 'x' } } } },
      'the value is not int or integer',
      'level',
    ],
    [
      'no float',
      { event_id: 'e', twin: { f: { actual: { value: 'x' }, metadata: { type: 'float' } } } },
      'the value is not float',
      'f',
    ],
    [
      'no boolean',
      { event_id: 'e', twin: { b: { actual: { value: 'yes' }, metadata: { type: 'boolean' } } } },
      'the bool value must be true or false',
      'b',
    ],
    [
      'an unknown type',
      { event_id: 'e', twin: { d: { actual: { value: '1' }, metadata: { type: 'double' } } } },
      'the value type is not allowed',
      'd',
    ],
    [
      'beyond the maximum',
      { event_id: 'e', twin: { level: { actual: { value: '101' } } } },
      'the value 101 is above the maximum 100',
      'level',
    ],
    [
      'desired of a read-only property',
      { event_id: 'e', twin: { temperature: { expected: { value: '5' } } } },
      'the property is read-only: its desired value may not be written',
      'temperature',
    ],
    [
      'too long',
      { event_id: 'e', twin: { led: { actual: { value: 'x'.repeat(65537) } } } },
      'the value has 65537 bytes, at most 65536 are allowed',
      'led',
    ],
  ]
  test.each(refused)('400 for %s, where the sender listens', async (_what, payload, reason, property) => {
    const { node, client } = await lamp()
    await client.publish(`${base}/twin/update`, payload as string)
    const eventId = typeof payload === 'object' && !Buffer.isBuffer(payload) ? 'e' : ''
    expect(await client.message(`${base}/twin/update/result`)).toEqual({
      event_id: eventId,
      timestamp: time,
      code: 400,
      reason,
      ...(property ? { property } : {}),
    })
    const [event, ...more] = node.events('WriteRefused')
    expect(more).toEqual([])
    expect(event).toMatchObject({
      type: 'Warning',
      regarding: { kind: 'Device', name: 'lamp', uid: 'uid-default-lamp' },
    })
    expect(event?.message).toContain(reason)
  })

  test('one wrong property refuses the whole message', async () => {
    const { node, client } = await lamp()
    await client.publish(`${base}/twin/update`, {
      twin: { led: { actual: { value: 'ON' } }, level: { actual: { value: '-1' } } },
    })
    expect((await client.message(`${base}/twin/update/result`)).property).toBe('level')
    await client.publish(`${base}/twin/get`, {})
    expect((await client.message(`${base}/twin/get/result`)).twin).toEqual({})
    expect(node.report('lamp')).toBeUndefined()
  })

  test('a repeated mistake is answered each time and becomes one event', async () => {
    const { node, client } = await lamp()
    for (let i = 0; i < 5; i++) await client.publish(`${base}/twin/update`, 'no json')
    await client.message(`${base}/twin/update/result`, 5)
    expect(node.events()).toHaveLength(1)
  })

  test('404 for an unknown device', async () => {
    const { client } = await lamp()
    await client.publish('$hw/events/device/default/ghost/twin/update', { event_id: 'e', twin: {} })
    expect(await client.message('$hw/events/device/default/ghost/twin/update/result')).toEqual({
      event_id: 'e',
      timestamp: time,
      code: 404,
      reason: noDevice,
    })
  })

  test('a value that is missing inside says nothing and harms nothing', async () => {
    const { client } = await lamp()
    await client.publish(`${base}/twin/update`, { event_id: 'e', twin: { led: { actual: {} } } })
    expect((await client.message(`${base}/twin/update/result`)).code).toBeUndefined()
    await client.publish(`${base}/twin/update`, { event_id: 'f', twin: { led: { actual: { value: 'ON' } } } })
    expect((await client.message(`${base}/twin/update/result`, 2)).twin.led.actual.value).toBe('ON')
  })

  test('any UTF-8 text is a value, up to 64 KiB', async () => {
    const { client } = await lamp()
    const values = ['a b+%"{}', '{"json":[1]}', 'Grüße 🌡', 'x'.repeat(65536)]
    for (const [at, value] of values.entries()) {
      await client.publish(`${base}/twin/update`, { event_id: 'e', twin: { led: { actual: { value } } } })
      expect((await client.message(`${base}/twin/update/result`, at + 1)).twin.led.actual.value).toBe(value)
    }
  })

  test('a property keeps the type that it began with', async () => {
    const { client } = await lamp()
    const write = (value: string, type: string) =>
      client.publish(`${base}/twin/update`, { twin: { n: { actual: { value }, metadata: { type } } } })
    await write('1', 'int')
    await write('x', 'string')
    expect((await client.message(`${base}/twin/update/result`, 2)).reason).toBe('the value is not int or integer')
  })

  test('a type that the model knows better than the sender does no harm', async () => {
    const { client } = await lamp()
    await client.publish(`${base}/twin/update`, {
      twin: { led: { actual: { value: 'ON' }, metadata: { type: 'Updated' } } },
    })
    expect((await client.message(`${base}/twin/update/result`)).twin.led.metadata.type).toBe('string')
  })

  test('optional goes from true to false only, and then the property stays', async () => {
    const { client } = await lamp()
    const write = (led: unknown) => client.publish(`${base}/twin/update`, { twin: { led } })
    await write({ actual: { value: 'ON' }, optional: false })
    await write({ optional: true })
    expect((await client.message(`${base}/twin/update/result`, 2)).twin.led.optional).toBe(false)
    await write(null)
    expect(await client.message(`${base}/twin/update/result`, 3)).toMatchObject({ code: 400, property: 'led' })
  })
})

describe('twin/get', () => {
  test('gives all properties', async () => {
    const { client } = await lamp({ led: 'ON' })
    await client.publish(`${base}/twin/get`, { event_id: 'g', timestamp: 1 })
    expect(await client.message(`${base}/twin/get/result`)).toEqual({
      event_id: 'g',
      timestamp: time,
      twin: {
        led: { expected: { value: 'ON', metadata: { timestamp: time } }, optional: true, metadata: { type: 'string' } },
      },
    })
  })

  test('404 for an unknown device, 400 for no JSON', async () => {
    const { client } = await lamp()
    await client.publish('$hw/events/device/a/b/twin/get', { event_id: 'g' })
    expect(await client.message('$hw/events/device/a/b/twin/get/result')).toEqual({
      event_id: 'g',
      timestamp: time,
      code: 404,
      reason: 'Device a/b not found while getting twin',
    })
    await client.publish(`${base}/twin/get`, '{')
    expect(await client.message(`${base}/twin/get/result`)).toMatchObject({ code: 400, reason: unreadable })
  })

  test('sees the update sent before it', async () => {
    const { client } = await lamp()
    for (let i = 1; i <= 20; i++) {
      client.mqtt.publish(`${base}/twin/update`, JSON.stringify({ twin: { level: { actual: { value: `${i}` } } } }))
      client.mqtt.publish(`${base}/twin/get`, '{}')
    }
    await client.message(`${base}/twin/get/result`, 20)
    const values = client.on(`${base}/twin/get/result`).map(({ body }) => body.twin.level.actual.value)
    expect(values).toEqual(Array.from({ length: 20 }, (_, i) => `${i + 1}`))
  })
})

describe('the one-level form', () => {
  test('is answered on both forms, and served with document and delta', async () => {
    const { client } = await lamp()
    await client.publish(`${short}/twin/update`, { event_id: '1', twin: { led: { expected: { value: 'ON' } } } })
    for (const topic of ['twin/update/result', 'twin/update/document', 'twin/update/delta']) {
      expect(await client.message(`${short}/${topic}`)).toEqual(await client.message(`${base}/${topic}`))
    }
    await client.publish(`${short}/twin/get`, { event_id: '2' })
    expect((await client.message(`${short}/twin/get/result`)).event_id).toBe('2')
    await client.publish(`${short}/state/update`, { state: 'online' })
    expect((await client.message(`${short}/state/update/result`)).device.state).toBe('online')
  })

  test('means namespace default when several devices have the name', async () => {
    const { node, client } = await lamp()
    await node.apply(model('room', { namespace: 'dev' }), device('lamp', { namespace: 'dev' }))
    await client.publish(`${short}/twin/update`, { twin: { led: { actual: { value: 'ON' } } } })
    await client.message(`${short}/twin/update/document`)
    expect(node.report('lamp', 'default')?.twins).toBeDefined()
    await client.publish('$hw/events/device/dev/lamp/twin/update', { twin: { led: { actual: { value: 'OFF' } } } })
    await client.message('$hw/events/device/dev/lamp/twin/update/document')
    await client.settled()
    expect(client.on(`${short}/twin/update/document`)).toHaveLength(1)
    await node.drop('devices/default/lamp')
    await node.apply(model('room', { namespace: 'two' }), device('lamp', { namespace: 'two' }))
    await client.publish(`${short}/twin/get`, {})
    const { code, reason } = await client.message(`${short}/twin/get/result`)
    expect([code, reason]).toEqual([404, expect.stringContaining('dev/lamp, two/lamp')])
  })

  test.each(['dev', 'device', 'event', 'hw', 'e', 'twin', 'node', 'update'])(
    'works in namespace and name %s',
    async (word) => {
      const node = await DeviceNode.start()
      await node.apply(model('room', { namespace: word }), device(word, { namespace: word }))
      const client = await (await node.connect()).subscribe('$hw/#')
      for (const at of [`$hw/events/device/${word}/${word}`, `$hw/events/device/${word}`]) {
        await client.publish(`${at}/twin/get`, { event_id: at })
        expect((await client.message(`${at}/twin/get/result`)).code).toBeUndefined()
      }
    },
  )
})
