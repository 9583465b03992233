import { haDevice, haDeviceId, haEntities, pathOf } from '@kedge/edgecore/devices/discovery/home-assistant'
import { zigbee2mqttDevices } from '@kedge/edgecore/devices/discovery/zigbee2mqtt'
import { builtInDrivers } from '@kedge/edgecore/devices/drivers/catalog'
import { mqttConfig } from '@kedge/edgecore/devices/drivers/mqtt/config'
import { type ModelProperty as DeviceModelProperty, parseDevice, parseDeviceModel } from '@kedge/shared/devices'
import { type Announcement, proposalsOf, slug } from '@kedge/shared/proposals'
import { describe, expect, test } from 'vitest'
import { bridgeDevices, esphomeNumber, jsonLight, tasmotaSensor, tasmotaSwitch, wholeDevice } from './announcements.ts'

const where = { nodeName: 'edge-1', namespace: 'default', taken: new Set<string>(), known: new Set<string>() }
const zigbee = () => zigbee2mqttDevices('zigbee2mqtt', JSON.stringify(bridgeDevices))

function homeAssistant(...messages: { topic: string; payload: unknown }[]): Announcement {
  const entities = messages.flatMap(({ topic, payload }) => haEntities(topic, JSON.stringify(payload)))
  const [id = ''] = entities.map(haDeviceId)
  expect(new Set(entities.map(haDeviceId)).size).toBe(1)
  const device = haDevice(id, entities)
  if (device === undefined) throw new Error('nothing announced')
  return device
}

function property(announcement: Announcement | undefined, name: string) {
  return announcement?.properties.find((each) => each.name === name)
}

describe('zigbee2mqtt', () => {
  test('the devices that can be used are announced, under the name that people gave them', () => {
    expect(zigbee().map(({ id, name, make }) => [id, name, make])).toEqual([
      ['zigbee2mqtt/0x00158d0001dc126a', 'Wohnzimmer/Klima', 'Aqara WSDCGQ11LM'],
      ['zigbee2mqtt/0x000b57fffec6a5b2', 'lamp', 'IKEA LED1624G9'],
    ])
  })

  test('each exposed feature is a property with its type, limits, and way to read and write it', () => {
    const [climate, lamp] = zigbee()
    expect(property(climate, 'temperature')).toEqual({
      name: 'temperature',
      type: 'FLOAT',
      unit: '°C',
      writable: false,
      visitor: { topic: 'zigbee2mqtt/Wohnzimmer/Klima', path: 'temperature' },
    })
    expect(property(lamp, 'state')).toMatchObject({
      type: 'BOOLEAN',
      writable: true,
      visitor: {
        path: 'state',
        map: { ON: 'true', OFF: 'false' },
        command: { topic: 'zigbee2mqtt/lamp/set', payload: '{"state":{{json}}}' },
      },
    })
    expect(property(lamp, 'color.x')?.visitor).toMatchObject({
      path: 'color.x',
      command: { payload: '{"color":{"x":{{json}}}}' },
    })
    expect(property(lamp, 'delay')).toMatchObject({ type: 'INT', minimum: '0', maximum: '60' })
    expect(property(lamp, 'occupancy')).toMatchObject({ type: 'BOOLEAN', writable: false })
    expect(property(lamp, 'effect')?.visitor).toEqual({
      command: { topic: 'zigbee2mqtt/lamp/set', payload: '{"effect":{{json}}}' },
    })
  })
})

describe('Home Assistant', () => {
  test("Tasmota's entities make one device", () => {
    const plug = homeAssistant(tasmotaSwitch, tasmotaSensor)
    expect(plug).toMatchObject({ id: 'homeassistant/2C3AE8', name: 'Plug', make: 'Tasmota Sonoff S20', notes: [] })
    expect(plug.protocol).toEqual({ availability: [{ topic: 'tele/plug/LWT', online: 'Online', offline: 'Offline' }] })
    expect(property(plug, 'plug')).toMatchObject({
      type: 'BOOLEAN',
      visitor: {
        topic: 'plug/tele/STATE',
        path: 'POWER',
        map: { ON: 'true', OFF: 'false' },
        command: { topic: 'cmnd/plug/POWER', payload: '{{value}}', map: { true: 'ON', false: 'OFF' } },
      },
    })
    expect(property(plug, 'energy_power')).toMatchObject({
      type: 'FLOAT',
      unit: 'W',
      writable: false,
      visitor: { topic: 'tele/plug/SENSOR', path: "['ENERGY']['Power']" },
    })
  })

  test('a number has limits, a light of JSON its brightness', () => {
    expect(property(homeAssistant(esphomeNumber), 'speed')).toMatchObject({
      type: 'FLOAT',
      minimum: '0',
      maximum: '10',
      writable: true,
    })
    const strip = homeAssistant(jsonLight)
    expect(property(strip, 'strip')?.visitor).toMatchObject({ command: { payload: '{"state":"{{value}}"}' } })
    expect(property(strip, 'strip_brightness')).toMatchObject({ type: 'INT', maximum: '100' })
  })

  test('one message may announce a whole device; what cannot be used of it is said', () => {
    const kitchen = homeAssistant(wholeDevice)
    expect(kitchen.properties.map(({ name }) => name)).toEqual(['temperature', 'door'])
    expect(property(kitchen, 'door')?.visitor).toMatchObject({
      topic: 'kitchen/state',
      path: 'door',
      map: { open: 'true', closed: 'false' },
    })
    expect(kitchen.notes).toEqual(['tone: siren is not known here', 'odd: its template is more than a path'])
  })

  test.each([
    ['{{ value_json.a.b }}', 'a.b'],
    ['{{value_json["a b"][0]}}', '["a b"][0]'],
    ['{{ value }}', ''],
    [undefined, ''],
    ['{{ value_json.a | float(0) | round(2) }}', 'a'],
    ['{{ value_json.a * 2 }}', undefined],
    ['{% if value %}1{% endif %}', undefined],
  ])('the template %s is the path %s', (template, path) => {
    expect(pathOf(template)).toBe(path)
  })

  test('an empty payload and other topics announce nothing, broken JSON is an error', () => {
    expect(haEntities(tasmotaSwitch.topic, '')).toEqual([])
    expect(haEntities('homeassistant/status', 'online')).toEqual([])
    expect(() => haEntities(tasmotaSwitch.topic, '{')).toThrow()
    expect(() => haEntities(tasmotaSwitch.topic, '{"min":"x"}')).toThrow()
  })
})

describe('proposals', () => {
  const all = () => [
    ...zigbee(),
    homeAssistant(tasmotaSwitch, tasmotaSensor),
    homeAssistant(wholeDevice),
    homeAssistant(jsonLight),
  ]

  test('are manifests that Kedge takes, and that the mqtt driver can use', () => {
    expect(builtInDrivers.some(({ protocols }) => protocols.includes('mqtt'))).toBe(true)
    for (const { model, device } of proposalsOf(all(), where)) {
      expect(parseDeviceModel(model)).toMatchObject({ ok: true })
      const parsed = parseDevice(device)
      if (!parsed.ok) throw new Error(parsed.reason)
      const { name, namespace = '' } = parsed.device.metadata
      const unknown: string[] = []
      const rules = (model.spec.properties ?? []) as DeviceModelProperty[]
      const rest = {
        model: new Map(rules.map((rule) => [rule.name ?? '', rule])),
        desired: new Map(),
        reported: new Map(),
      }
      const config = mqttConfig({ name, namespace, spec: parsed.device.spec ?? {}, ...rest }, (field) =>
        unknown.push(field),
      )
      expect(config.properties.length).toBeGreaterThan(0)
      expect(unknown).toEqual([])
    }
  })

  test('have names of Kubernetes, the same whatever came first', () => {
    const names = (announcements: Announcement[]) =>
      proposalsOf(announcements, where).map(({ id, model, device }) => [id, model.metadata.name, device.metadata.name])
    expect(names(all())).toEqual(names(all().reverse()))
    expect(names(all()).map(([, model, device]) => `${model} ${device}`)).toEqual([
      expect.stringMatching(/^tasmota-sonoff-s20-\w{5} edge-1-plug$/),
      expect.stringMatching(/^bla-electronics-xya-\w{5} edge-1-kitchen$/),
      expect.stringMatching(/^strip-\w{5} edge-1-strip$/),
      expect.stringMatching(/^ikea-led1624g9-\w{5} edge-1-lamp$/),
      expect.stringMatching(/^aqara-wsdcgq11lm-\w{5} edge-1-wohnzimmer-klima$/),
    ])
  })

  test('devices of one make share a model; one that differs has another', () => {
    const [climate] = zigbee()
    if (climate === undefined) throw new Error('none')
    const twin = { ...climate, id: 'zigbee2mqtt/0x9', name: 'other' }
    const other = { ...climate, id: 'zigbee2mqtt/0xa', name: 'third', properties: climate.properties.slice(1) }
    const [first, second, third] = proposalsOf([climate, twin, other], where).map(({ model }) => model.metadata.name)
    expect(first).toBe(second)
    expect(first).not.toBe(third)
  })

  test('no proposal has the name of another one, or of a device that there is', () => {
    const [climate, lamp] = zigbee()
    if (climate === undefined || lamp === undefined) throw new Error('none')
    const namesake = { ...lamp, id: 'zigbee2mqtt/0x9' }
    const names = proposalsOf([lamp, namesake, climate], { ...where, taken: new Set(['edge-1-wohnzimmer-klima']) }).map(
      ({ device }) => String(device.metadata.name),
    )
    expect(new Set(names).size).toBe(3)
    for (const name of names) expect(name).toMatch(/^edge-1-(lamp|wohnzimmer-klima)-\w{5}$/)
  })

  test('what is a device already is not proposed, and the others keep their names', () => {
    const before = proposalsOf(all(), where)
    const known = new Set([before[0]?.id ?? ''])
    expect(proposalsOf(all(), { ...where, known })).toEqual(before.slice(1))
  })

  test.each([
    ['Küche: Lampe #1', 'kuche-lampe-1'],
    ['---', ''],
    ['a'.repeat(80), 'a'.repeat(50)],
  ])('%s becomes %s', (text, name) => expect(slug(text)).toBe(name))
})
