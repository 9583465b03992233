import { parseDevice, parseDeviceModel } from '@kedge/shared/devices'
import { admit } from '@kedge/shared/kubeapi/validate'
import { describe, expect, it } from 'vitest'
import { manifests } from '../../support/device-manifests.ts'
import { created, deviceKind, told } from '../../support/kinds.ts'

const device = (spec: unknown, more: Record<string, unknown> = {}) => ({ metadata: { name: 'd' }, spec, ...more })
const property = (more: Record<string, unknown>) => device({ properties: [{ name: 'a', ...more }] })

describe("KubeEdge's manifests", () => {
  it.each(manifests.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    '%s is admitted unchanged',
    (_, manifest) => {
      const { object, ...faults } = admit({ kind: deviceKind(manifest.kind), operation: 'create', object: manifest })
      expect(faults).toEqual({ causes: [], unknown: [], warnings: [] })
      const { status: _status, ...rest } = manifest
      const named = manifest.metadata.name === 'unbound' ? { ...rest, spec: { deviceModelRef: { name: '' } } } : rest
      expect(object).toEqual({ ...named, metadata: { ...manifest.metadata, generation: 1 } })
    },
  )

  it.each(manifests.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    '%s is read at the edge',
    (_, manifest) => {
      if (manifest.kind === 'DeviceModel')
        expect(parseDeviceModel(manifest)).toMatchObject({ ok: true, model: { spec: manifest.spec } })
      else expect(parseDevice(manifest)).toMatchObject({ ok: true, device: { spec: manifest.spec } })
    },
  )
})

describe('reading a device', () => {
  it('leaves unknown fields out, but not those of a protocol', () => {
    const configData = { anything: { goes: [1] } }
    expect(
      parseDevice(device({ nodeName: 'n', color: 'red', protocol: { protocolName: 'p', configData } }, { extra: 1 })),
    ).toEqual({
      ok: true,
      device: device({ nodeName: 'n', protocol: { protocolName: 'p', configData } }),
    })
  })

  it.each([
    [null, /object/],
    [{ spec: {} }, /^metadata: /],
    [property({ desired: {} }), /^spec\.properties\.0\.desired\.value: /],
    [property({ desired: { value: 1 } }), /^spec\.properties\.0\.desired\.value: /],
    [property({ reportCycle: 1.5 }), /^spec\.properties\.0\.reportCycle: /],
    [property({ reportCycle: '1000' }), /^spec\.properties\.0\.reportCycle: /],
    [device({ properties: [{}] }), /^spec\.properties\.0\.name: /],
    [
      device({ properties: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }),
      /^spec\.properties: two properties are named a$/,
    ],
    [device({ deviceModelRef: 'm' }), /^spec\.deviceModelRef: /],
  ])('%j is refused with the field', (content, reason) => {
    const parsed = parseDevice(content)
    expect(parsed.ok ? '' : parsed.reason).toMatch(reason)
  })

  it('a model with an unknown type is refused', () => {
    const parsed = parseDeviceModel({ metadata: { name: 'm' }, spec: { properties: [{ name: 'a', type: 'INTT' }] } })
    expect(parsed.ok ? '' : parsed.reason).toMatch(/^spec\.properties\.0\.type: .*"INT"/)
  })
})

describe('admitting devices', () => {
  const kind = deviceKind('Device')

  it.each([
    [{ properties: [{ name: 'a', desired: {} }] }, ['spec.properties[0].desired.value: Required value']],
    [{ properties: [{ name: 'a' }, { name: 'a' }] }, ['spec.properties[1]: Duplicate value: {"name":"a"}']],
    [{ properties: [{ desired: { value: '1' } }] }, ['spec.properties[0].name: Required value']],
    [
      { properties: [{ name: 'a', reportCycle: 0.5 }] },
      [
        'spec.properties[0].reportCycle: Invalid value: "number": spec.properties[0].reportCycle in body must be of type integer: "number"',
      ],
    ],
    [
      { protocol: { protocolName: 'p', configData: 'x' } },
      [
        'spec.protocol.configData: Invalid value: "string": spec.protocol.configData in body must be of type object: "string"',
      ],
    ],
  ])('%j', (spec, expected) => expect(told(created(kind, { spec }))).toEqual(expected))

  it('a model has each property once', () => {
    const properties = [{ name: 'a' }, { name: 'b' }, { name: 'a', type: 'INT' }]
    expect(told(created(deviceKind('DeviceModel'), { spec: { properties } }))).toEqual([
      'spec.properties[2]: Duplicate value: {"name":"a"}',
    ])
    // It may be there from before this rule.
    const parsed = parseDeviceModel({ metadata: { name: 'm' }, spec: { properties } })
    expect(parsed).toEqual({ ok: false, reason: 'spec.properties: two properties are named a' })
  })

  it('a model names its types', () => {
    expect(
      told(
        created(deviceKind('DeviceModel'), {
          spec: { properties: [{ name: 'a', type: 'INTT', accessMode: 'Write' }] },
        }),
      ),
    ).toEqual([
      'spec.properties[0].type: Unsupported value: "INTT": supported values: "INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES", "STREAM"',
      'spec.properties[0].accessMode: Unsupported value: "Write": supported values: "ReadWrite", "ReadOnly"',
    ])
  })

  it('takes the status on its own path only, with fields that it does not know', () => {
    const old = created(kind, { spec: { nodeName: 'n' } }).object
    const twins = [
      { propertyName: 'a', observedDesired: { value: '1', metadata: { timestamp: '1' } }, reported: { value: '2' } },
    ]
    const conditions = [
      { type: 'InSync', status: 'False', reason: 'Differs', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]
    const status = {
      twins,
      state: 'online',
      lastOnlineTime: '2026-01-01T00:00:00Z',
      conditions,
      extensions: { any: 1 },
    }
    const { object, causes, unknown } = admit({
      kind,
      operation: 'update',
      subresource: 'status',
      object: { ...old, status },
      old,
    })
    expect({ causes, unknown, status: object.status }).toEqual({ causes: [], unknown: [], status })
    const twice = { ...old, status: { twins: [...twins, ...twins] } }
    expect(told(admit({ kind, operation: 'update', subresource: 'status', object: twice, old }))).toEqual([
      'status.twins[1]: Duplicate value: {"propertyName":"a"}',
    ])
  })
})
