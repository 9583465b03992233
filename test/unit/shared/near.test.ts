import { nearest } from '@kedge/shared/near'
import { expect, test } from 'vitest'

const candidates = ['mqtt-port', 'mqtt-host', 'cloud', 'data']

test.each([
  ['mqtt-prot', 'mqtt-port'],
  ['mqttport', 'mqtt-port'],
  ['cluod', 'cloud'],
  ['dta', 'data'],
  ['runtime', undefined],
  ['x', undefined],
  ['', undefined],
])('%j is near %j', (text, expected) => {
  expect(nearest(text, candidates)).toBe(expected)
})
