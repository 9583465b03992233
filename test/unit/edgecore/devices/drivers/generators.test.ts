import { defaultGenerator, Generator, generate, textOf } from '@kedge/edgecore/devices/drivers/generators'
import { describe, expect, test } from 'vitest'

const moment = { elapsed: 0, step: 0, random: 0.5, last: undefined, desired: new Map<string, string>() }

describe('generate', () => {
  test('ramp rises and begins again', () => {
    const ramp: Generator = { generator: 'ramp', from: 10, to: 20, periodMs: 100 }
    expect([0, 50, 99, 100, 150].map((elapsed) => generate('p', ramp, { ...moment, elapsed }))).toEqual([
      10, 15, 19.9, 10, 15,
    ])
  })

  test('sine swings about its mean', () => {
    const sine: Generator = { generator: 'sine', mean: 20, amplitude: 5, periodMs: 400 }
    const at = [0, 100, 200, 300].map((elapsed) => Math.round(Number(generate('p', sine, { ...moment, elapsed }))))
    expect(at).toEqual([20, 25, 20, 15])
  })

  test('walk steps by chance and stays within its limits', () => {
    const walk: Generator = { generator: 'walk', start: 5, step: 2, minimum: 0, maximum: 6 }
    expect(generate('p', walk, moment)).toBe(5)
    expect(generate('p', walk, { ...moment, last: 5, random: 0 })).toBe(3)
    expect(generate('p', walk, { ...moment, last: 5, random: 1 })).toBe(6)
    expect(generate('p', walk, { ...moment, last: 1, random: 0 })).toBe(0)
    expect(generate('p', walk, { ...moment, last: '4', random: 0.5 })).toBe(4)
  })

  test('follow nears what is desired of another property', () => {
    const follow: Generator = { generator: 'follow', of: 'target', start: 10, timeConstantMs: 100 }
    expect(generate('p', follow, { ...moment, step: 100 })).toBe(10)
    const desired = new Map([['target', '20']])
    expect(generate('p', follow, { ...moment, step: 100, last: 10, desired })).toBeCloseTo(20 - 10 / Math.E)
    expect(generate('p', follow, { ...moment, step: 1e9, last: 10, desired })).toBe(20)
    expect(generate('p', follow, { ...moment, step: 5, last: 10, desired: new Map([['target', 'warm']]) })).toBe(10)
  })

  test('cycle goes round', () => {
    const cycle: Generator = { generator: 'cycle', values: ['a', 'b'], periodMs: 10 }
    expect([0, 9, 10, 20].map((elapsed) => generate('p', cycle, { ...moment, elapsed }))).toEqual(['a', 'a', 'b', 'a'])
  })

  test('obey does what is desired, else stays', () => {
    const obey: Generator = { generator: 'obey', start: 'off' }
    expect(generate('p', obey, moment)).toBe('off')
    expect(generate('p', obey, { ...moment, last: 'on' })).toBe('on')
    expect(generate('p', obey, { ...moment, last: 'on', desired: new Map([['p', 'dim']]) })).toBe('dim')
    expect(generate('p', { generator: 'obey' }, moment)).toBeUndefined()
  })

  test('constant is constant', () => {
    expect(generate('p', { generator: 'constant', value: 'x' }, moment)).toBe('x')
  })
})

test.each([
  [{}, 'obey'],
  [{ accessMode: 'ReadWrite', type: 'INT' }, 'obey'],
  [{ accessMode: 'ReadOnly', type: 'BOOLEAN' }, 'cycle'],
  [{ accessMode: 'ReadOnly', type: 'STRING' }, 'constant'],
  [{ accessMode: 'ReadOnly', type: 'FLOAT' }, 'walk'],
])('a property %j without a generator gets %s', (property, generator) => {
  expect(defaultGenerator(property).generator).toBe(generator)
})

test('a default walk keeps to the limits of the model, also where they leave no room', () => {
  const property = { accessMode: 'ReadOnly', type: 'INT' }
  expect(defaultGenerator({ ...property, minimum: '-10', maximum: '30' })).toMatchObject({
    start: 10,
    minimum: -10,
    maximum: 30,
  })
  expect(defaultGenerator({ ...property, minimum: '5', maximum: '5' })).toMatchObject({
    start: 5,
    minimum: 5,
    maximum: 5,
  })
})

test.each([
  [20.126, 'FLOAT', undefined, '20.13'],
  [20.126, 'FLOAT', 0, '20'],
  [20.6, 'INT', 3, '21'],
  [-0.001, 'FLOAT', undefined, '0.00'],
  [-0.2, 'INT', undefined, '0'],
  [1e-9, 'DOUBLE', 3, '0.000'],
  ['text', 'STRING', undefined, 'text'],
])('%s as %s with %s decimals is %s', (value, type, decimals, expected) => {
  expect(textOf(value, type, decimals)).toBe(expected)
})

test('a configuration that is wrong says where', () => {
  const parsed = Generator.safeParse({ generator: 'ramp', from: 0, to: 'high', periodMs: 0 })
  expect(parsed.error?.issues.map(({ path }) => path.join('.'))).toEqual(['to', 'periodMs'])
})
