import { type Candidate, choose } from '@kedge/edgecore/devices/dmi/choice'
import { Device } from '@kedge/shared/devices'
import { expect, test } from 'vitest'

const device = (annotations?: Record<string, string>, protocolName: string | undefined = 'modbus') =>
  Device.parse({ metadata: { name: 'lamp', annotations }, spec: { protocol: { protocolName } } })

const mapper = (name: string, order: number, other: Partial<Candidate> = {}): Candidate => ({
  ...{ name, order, protocol: 'modbus', absent: false },
  ...other,
})

const [first, second] = [mapper('first', 1), mapper('second', 2)]
const away = mapper('second', 2, { absent: true })
const elsewhere = mapper('else', 3, { protocol: 'opcua' })

test.each([
  ['nothing for a device that cannot be read', undefined, [first], undefined],
  ['nothing without a protocol', device({}, ''), [mapper('', 1, { protocol: '' })], undefined],
  ['nothing where nobody serves the protocol', device(), [elsewhere], undefined],
  ['the one that registered last', device(), [second, first, elsewhere], second],
  ['the one that is there', device(), [away, first], first],
  ['the last one when all are away', device(), [mapper('first', 1, { absent: true }), away], away],
  ['the one that is named', device({ 'kedge.io/mapper': 'first' }), [first, second], first],
  ['the one that is named, also while it is away', device({ 'kedge.io/mapper': 'second' }), [away, first], away],
  ['one that is named and never came', device({ 'kedge.io/mapper': 'third' }), [first], 'third'],
  ['one that is named and serves another protocol', device({ 'kedge.io/mapper': 'else' }), [elsewhere], 'else'],
  ['no mapper', device({ 'kedge.io/mapper': 'builtin' }), [first], undefined],
])('%s', (_, device, mappers, chosen) => {
  expect(choose(device, mappers)).toBe(chosen)
})
