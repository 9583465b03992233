import {
  applyCloud,
  applyLocal,
  type Change,
  delta,
  isPropertyName,
  type Model,
  maxProperties,
  maxTwinBytes,
  type PropertyUpdate,
  reportOf,
  shows,
  type Twin,
  type Twins,
  validateValue,
} from '@kedge/shared/twin'
import { describe, expect, test } from 'vitest'

const model: Model = new Map([
  ['level', { type: 'INT', accessMode: 'ReadWrite', minimum: '0', maximum: '100' }],
  ['sensor', { type: 'FLOAT', accessMode: 'ReadOnly' }],
])
const none: Twins = new Map()

function local(twins: Twins, update: Record<string, PropertyUpdate | null>, now = 1) {
  return applyLocal({ twins, update: new Map(Object.entries(update)), model, now })
}

function cloud(twins: Twins, desired: Record<string, string>, now = 1, by: Model = model) {
  return applyCloud({ twins, desired: new Map(Object.entries(desired)), model: by, now })
}

function changesOf(applied: ReturnType<typeof local>): Change[] {
  if ('refusal' in applied) throw new Error(applied.refusal.reason)
  return applied.changes
}

function after(twins: Twins, changes: readonly Change[]): Map<string, Twin> {
  return new Map([...twins, ...changes.map(({ property, after }) => [property, after] as const)])
}

function written(twins: Twins, update: Record<string, PropertyUpdate | null>, now = 1) {
  return after(twins, changesOf(local(twins, update, now)))
}

describe('validateValue', () => {
  const cases: [string, Record<string, string>, string, string | undefined][] = [
    ['INT', {}, '0', undefined],
    ['INT', {}, '+7', undefined],
    ['INT', {}, '-9223372036854775808', undefined],
    ['INT', {}, '9223372036854775808', 'the value is not int or integer'],
    ['INT', {}, '1.0', 'the value is not int or integer'],
    ['INT', {}, '', 'the value is not int or integer'],
    ['INT', {}, ' 1', 'the value is not int or integer'],
    ['INT', { minimum: '1', maximum: '5' }, '1', undefined],
    ['INT', { minimum: '1', maximum: '5' }, '5', undefined],
    ['INT', { minimum: '1' }, '0', 'the value 0 is below the minimum 1'],
    ['INT', { maximum: '5' }, '6', 'the value 6 is above the maximum 5'],
    ['INT', { maximum: '5.5' }, '6', 'the value 6 is above the maximum 5.5'],
    [
      'INT',
      { maximum: '9007199254740992' },
      '9007199254740993',
      'the value 9007199254740993 is above the maximum 9007199254740992',
    ],
    ['INT', { minimum: '', maximum: 'none' }, '6', undefined],
    ['FLOAT', {}, '1e3', undefined],
    ['FLOAT', {}, '-.5', undefined],
    ['FLOAT', {}, '5.', undefined],
    ['FLOAT', {}, 'NaN', undefined],
    ['FLOAT', {}, '-Inf', undefined],
    ['FLOAT', {}, '1e400', 'the value is not float'],
    ['FLOAT', {}, '0x10', 'the value is not float'],
    ['FLOAT', {}, '.', 'the value is not float'],
    ['FLOAT', { maximum: '5' }, 'NaN', 'the value NaN is above the maximum 5'],
    ['FLOAT', { maximum: '5' }, 'Inf', 'the value Infinity is above the maximum 5'],
    ['FLOAT', { minimum: '5' }, '-infinity', 'the value -Infinity is below the minimum 5'],
    ['DOUBLE', { minimum: '-1.5' }, '-1.6', 'the value -1.6 is below the minimum -1.5'],
    ['BOOLEAN', {}, 'true', undefined],
    ['BOOLEAN', {}, 'True', 'the bool value must be true or false'],
    ['STRING', { maximum: '3' }, 'long text', undefined],
    ['BYTES', {}, 'AAEC', undefined],
    ['STREAM', {}, 'rtsp://x', undefined],
    ['STRING', {}, 'é'.repeat(32768), undefined],
    ['STRING', {}, 'é'.repeat(32769), 'the value has 65538 bytes, at most 65536 are allowed'],
    ['STRING', {}, 'half \ud83d', 'the value is not valid UTF-8'],
  ]
  test.each(cases)('%s %j %j', (type, limits, value, reason) => {
    expect(validateValue({ type, ...limits }, value)).toBe(reason)
  })

  test('a property that the model does not know takes any text', () => {
    expect(validateValue(undefined, 'anything')).toBeUndefined()
  })
})

test.each([
  ['temperature', true],
  ['a-b_c.d,e:f/g@h#1', true],
  ['', false],
  ['a b', false],
  ['é', false],
  ['x'.repeat(128), true],
  ['x'.repeat(129), false],
  ['__proto__', false],
])('property name %j: %s', (name, valid) => {
  expect(isPropertyName(name)).toBe(valid)
})

describe('a local write', () => {
  test('creates, stamps and counts', () => {
    const twins = written(none, { level: { desired: '5', reported: '4' } }, 7)
    expect(twins.get('level')).toEqual({
      type: 'int',
      optional: true,
      deleted: false,
      cloudDesired: undefined,
      desired: { value: '5', at: 7, version: 1 },
      reported: { value: '4', at: 7, version: 1 },
    })
    expect(written(twins, { level: { reported: '5' } }, 9).get('level')?.reported).toEqual({
      value: '5',
      at: 9,
      version: 2,
    })
  })

  test('of an equal value changes nothing', () => {
    const twins = written(none, { level: { desired: '5', reported: '4' } })
    expect(changesOf(local(twins, { level: { desired: '5', reported: '4' } }, 2))).toEqual([])
    expect(changesOf(local(twins, { level: {} }, 2))).toEqual([])
    expect(changesOf(local(twins, { level: { type: 'string', optional: true } }, 2))).toEqual([])
  })

  test('refuses the whole update for one wrong property', () => {
    expect(local(none, { level: { reported: '1' }, sensor: { reported: 'x' } })).toEqual({
      refusal: { property: 'sensor', reason: 'the value is not float' },
    })
  })

  test('may report a read-only property but not desire of it', () => {
    expect(changesOf(local(none, { sensor: { reported: '1' } }))).toHaveLength(1)
    expect(local(none, { sensor: { desired: '1' } })).toMatchObject({ refusal: { property: 'sensor' } })
  })

  test('that desires nothing of a read-only property is no fault and no change', () => {
    const text: Model = new Map([['serial', { type: 'STRING', accessMode: 'ReadOnly' }]])
    const twins = written(none, { serial: { reported: 'A1', type: 'string' } })
    const update = new Map([['serial', { desired: '', reported: 'A1' }]])
    expect(applyLocal({ twins, update, model: text, now: 1 })).toEqual({ changes: [] })
  })

  test('deletes and revives with versions that go on', () => {
    const twins = written(written(none, { x: { reported: '1', type: 'int' } }), { x: null }, 5)
    expect(twins.get('x')).toMatchObject({ deleted: true, reported: { value: undefined, at: 5, version: 2 } })
    expect(changesOf(local(twins, { x: null }, 6))).toEqual([])
    expect(written(twins, { x: { reported: 'a' } }, 7).get('x')).toMatchObject({
      deleted: false,
      type: 'string',
      reported: { value: 'a', version: 3 },
    })
  })

  test('checks a value by the type that the property has', () => {
    const twins = written(none, { n: { reported: '1', type: 'integer' } })
    expect(local(twins, { n: { reported: 'x', type: 'string' } })).toMatchObject({ refusal: { property: 'n' } })
    expect(local(none, { n: { reported: '1', type: 'bytes' } })).toEqual({
      refusal: { property: 'n', reason: 'the value type is not allowed' },
    })
  })

  test('ends at the limits of a device', () => {
    const names = Array.from({ length: maxProperties }, (_, i) => [`p${i}`, { reported: '1' }] as const)
    const full = written(none, Object.fromEntries(names))
    expect(local(full, { one: { reported: '1' } })).toEqual({
      refusal: { property: 'one', reason: 'a device has at most 1000 properties' },
    })
    expect(changesOf(local(full, { p7: { reported: '2' } }))).toHaveLength(1)
    const big = 'x'.repeat(65536)
    const large = Object.fromEntries(
      Array.from({ length: maxTwinBytes / 65536 }, (_, i) => [`q${i}`, { reported: big }]),
    )
    const heavy = written(none, large)
    expect(local(heavy, { more: { reported: 'x'.repeat(600) } })).toMatchObject({ refusal: { property: 'more' } })
    expect(changesOf(local(heavy, { q1: { reported: 'y'.repeat(65536) } }))).toHaveLength(1)
  })
})

describe('a write of the cloud', () => {
  test('sets desired once', () => {
    const { changes } = cloud(none, { level: '5' }, 3)
    const twins = after(none, changes)
    expect(twins.get('level')).toMatchObject({
      type: 'int',
      cloudDesired: '5',
      desired: { value: '5', at: 3, version: 1 },
    })
    expect(cloud(twins, { level: '5' }, 9).changes).toEqual([])
  })

  test('leaves a local change in place until its next edit', () => {
    const twins = written(after(none, cloud(none, { level: '5' }).changes), { level: { desired: '6' } })
    expect(cloud(twins, { level: '5' }).changes).toEqual([])
    const edited = after(twins, cloud(twins, { level: '7' }).changes)
    expect(edited.get('level')?.desired).toMatchObject({ value: '7', version: 3 })
  })

  test('that agrees with a local change shows nothing', () => {
    const twins = written(none, { level: { desired: '6' } })
    const { changes } = cloud(twins, { level: '6' })
    expect(changes.map(shows)).toEqual([false])
    expect(reportOf(changes)).toBeUndefined()
  })

  test('takes its wish back', () => {
    const twins = after(none, cloud(none, { level: '5' }).changes)
    for (const desired of [{}, { level: '' }] as Record<string, string>[]) {
      expect(after(twins, cloud(twins, desired).changes).get('level')?.desired).toMatchObject({
        value: undefined,
        version: 2,
      })
    }
  })

  test('that does not fit is named, and the old value stays until it fits', () => {
    const twins = after(none, cloud(none, { level: '5' }).changes)
    const refused = cloud(twins, { level: '500', sensor: '1' })
    expect(refused).toEqual({
      changes: [],
      refusals: [
        { property: 'level', reason: 'the value 500 is above the maximum 100' },
        { property: 'sensor', reason: 'the property is read-only: its desired value may not be written' },
      ],
    })
    const wider: Model = new Map([['level', { type: 'INT', maximum: '1000' }]])
    expect(cloud(twins, { level: '500' }, 1, wider).changes).toHaveLength(1)
  })

  test('revives what was deleted here only by a new edit', () => {
    const twins = written(after(none, cloud(none, { level: '5' }).changes), { level: null })
    expect(cloud(twins, { level: '5' }).changes).toEqual([])
    expect(after(twins, cloud(twins, { level: '6' }).changes).get('level')).toMatchObject({
      deleted: false,
      desired: { version: 3 },
    })
    expect(after(twins, cloud(twins, {}).changes).get('level')).toMatchObject({
      deleted: true,
      cloudDesired: undefined,
    })
  })

  test('brings the type of the model to a property that was there before', () => {
    const twins = written(none, { late: { reported: '1' } })
    const { changes } = cloud(twins, {}, 1, new Map([['late', { type: 'INT' }]]))
    expect(reportOf(changes)).toEqual({ late: { type: 'int', reported: { value: '1', at: 1 } } })
  })
})

test('the delta has what is desired and not reported', () => {
  const twins = written(none, {
    differs: { desired: 'a', reported: 'b' },
    equal: { desired: 'a', reported: 'a' },
    silent: { desired: 'a' },
    empty: { desired: '', reported: 'b' },
    reported: { reported: 'b' },
    gone: { desired: 'a' },
  })
  expect(Object.fromEntries(delta(written(twins, { gone: null })))).toEqual({ differs: 'a', silent: 'a' })
})

test('a report has both sides of what changed, and null for what was deleted', () => {
  const twins = written(none, { a: { desired: '1' }, b: { reported: '2' } }, 3)
  expect(reportOf(changesOf(local(twins, { a: { reported: '1' }, b: null }, 4)))).toEqual({
    a: { type: 'string', desired: { value: '1', at: 3 }, reported: { value: '1', at: 4 } },
    b: null,
  })
})
