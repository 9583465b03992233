import { Audience } from '@kedge/edgecore/devices/audience'
import { expect, test } from 'vitest'

const delta = '$hw/events/device/default/lamp/twin/update/delta'

test.each([
  [delta, true],
  ['$hw/events/device/+/+/twin/update/delta', true],
  ['$hw/events/#', true],
  ['$hw/events/device/default/lamp/twin/update/document', false],
  ['$hw/events/device/+/twin/update/delta', false],
])('%s hears the delta: %s', (filter, heard) => {
  const audience = new Audience()
  audience.joins({ clean: true }, filter)
  expect(audience.hears(delta)).toBe(heard)
})

test('a topic is heard until the last connection that has subscribed to it has ended', () => {
  const audience = new Audience()
  const [one, two] = [{ clean: true }, { clean: true }]
  audience.joins(one, delta)
  audience.joins(two, '$hw/#')
  audience.joins(two, delta)
  audience.joins(two, delta)
  audience.gone(one)
  audience.gone(one)
  expect(audience.hears(delta)).toBe(true)
  audience.gone(two)
  expect(audience.hears(delta)).toBe(false)
})

test('what a persistent session has subscribed to stays heard, for it waits while the client is away', () => {
  const audience = new Audience()
  const client = { clean: false }
  audience.joins(client, delta)
  audience.gone(client)
  expect(audience.hears(delta)).toBe(true)
})

test('with very many wildcards everything counts as heard', () => {
  const audience = new Audience()
  for (let index = 0; index <= 50; index++) audience.joins({ clean: true }, `elsewhere/${index}/#`)
  expect(audience.hears(delta)).toBe(true)
})
