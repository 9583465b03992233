import { covers, ownDeviceRules, parseRules, touches } from '@kedge/edgecore/devices/topic-rules'
import { matches } from '@kedge/shared/device-topics'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const lamp = { user: 'default/lamp', client: 'c1' }

describe('without a file', () => {
  test.each([
    ['write', '$hw/events/device/default/lamp/twin/update', true],
    ['read', '$hw/events/device/default/lamp/twin/update/delta', true],
    ['read', '$hw/events/device/default/lamp/#', true],
    ['write', '$hw/events/device/default/fan/twin/update', false],
    ['read', '$hw/events/device/+/lamp/#', false],
    ['read', '$hw/#', false],
    ['write', '$hw/events/node/edge-1/membership/get', false],
    ['write', '$hw/events/upload/a', true],
    ['read', '$hw/events/upload/#', false],
    ['write', 'zigbee2mqtt/bulb/set', true],
    ['read', '#', true],
    ['read', '+/x', true],
    ['write', '$SYS/x', false],
  ] as const)('%s %s: %s', (access, topic, may) => {
    expect(ownDeviceRules.may(lamp, access, topic)).toBe(may)
  })

  test.each(['+/+', '#', 'a/+'])('a user named %s has nothing of any device', (user) => {
    expect(ownDeviceRules.may({ user, client: 'c' }, 'read', '$hw/events/device/default/lamp/twin/update')).toBe(false)
    expect(ownDeviceRules.may({ user, client: 'c' }, 'read', `$hw/events/device/${user}/x`)).toBe(false)
  })
})

describe("a file in mosquitto's form", () => {
  const parsed = parseRules(`
# everybody
topic read weather/#
pattern write status/%c
pattern $hw/events/device/%u/#

user mapper
topic $hw/#
topic deny $hw/events/node/#
topic write out put/x
`)
  if (!parsed.ok) throw new Error(parsed.fault)
  const { rules } = parsed
  const mapper = { user: 'mapper', client: 'm' }

  test.each([
    [lamp, 'read', 'weather/today', true],
    [lamp, 'write', 'weather/today', false],
    [lamp, 'write', 'status/c1', true],
    [lamp, 'write', 'status/c2', false],
    [lamp, 'read', '$hw/events/device/default/lamp/twin/update/result', true],
    [lamp, 'read', '$hw/events/device/default/fan/twin/update/result', false],
    [lamp, 'read', 'other', false],
    [mapper, 'read', '$hw/events/device/+/+/twin/update/delta', true],
    [mapper, 'read', '$hw/events/node/edge-1/membership/updated', false],
    [mapper, 'read', '$hw/#', false],
    [mapper, 'write', 'out put/x', true],
  ] as const)('%j %s %s: %s', (who, access, topic, may) => {
    expect(rules.may(who, access, topic)).toBe(may)
  })

  test.each([
    ['topics read x', 'line 1'],
    ['user a\nallow everything', 'line 2'],
    ['user', 'line 1'],
  ])('a line that is none is named: %j', (text, fault) =>
    expect(parseRules(text)).toEqual({ ok: false, fault: expect.stringContaining(fault) }),
  )
})

describe('filters', () => {
  const level = fc.constantFrom('a', 'b', '', '$x')
  const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
  const filter = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
    .map(([levels, open]) => [...levels, ...(open || levels.length === 0 ? ['#'] : [])].join('/'))

  test('what a covered filter matches, the covering one matches', () => {
    fc.assert(
      fc.property(filter, filter, topic, (wide, narrow, each) => {
        fc.pre(covers(wide, narrow))
        expect(!matches(narrow, each) || matches(wide, each)).toBe(true)
      }),
    )
  })

  test('filters that both match a topic touch', () => {
    fc.assert(
      fc.property(filter, filter, topic, (one, two, each) => {
        fc.pre(matches(one, each) && matches(two, each))
        expect(touches(one, two)).toBe(true)
      }),
    )
  })
})
