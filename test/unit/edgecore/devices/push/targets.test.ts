import { formOf, payloadOf, targetsOf } from '@kedge/edgecore/devices/push/targets'
import { expect, test } from 'vitest'

test.each([
  [
    { http: { hostName: 'http://127.0.0.1', port: 8080, requestPath: '/in', timeout: 500 } },
    { is: 'http', url: 'http://127.0.0.1:8080/in', timeout: 500 },
  ],
  [{ http: { hostName: 'sink.local' } }, { is: 'http', url: 'http://sink.local/', timeout: 10_000 }],
  [
    { http: { hostName: 'https://sink/', requestPath: 'in', timeout: 1e9 } },
    { is: 'http', url: 'https://sink/in', timeout: 300_000 },
  ],
  [
    { mqtt: { address: 'tcp://127.0.0.1:1883', topic: 'a/b', qos: 1, retained: true } },
    { is: 'mqtt', url: 'mqtt://127.0.0.1:1883', topic: 'a/b', qos: 1, retain: true },
  ],
  [
    { mqtt: { address: 'broker:1883', topic: 'a' } },
    { is: 'mqtt', url: 'mqtt://broker:1883', topic: 'a', qos: 0, retain: false },
  ],
  [
    { mqtt: { address: 'ssl://broker', topic: 'a' } },
    { is: 'mqtt', url: 'mqtts://broker', topic: 'a', qos: 0, retain: false },
  ],
])('%j is a target', (method, target) => {
  expect(targetsOf(method)).toEqual({ targets: [target], faults: [] })
})

test.each([
  [{ http: {} }, 'http: no URL of hostName ""'],
  [{ http: { hostName: 'a b' } }, 'http: no URL of hostName "a b"'],
  [{ mqtt: { address: 'http://x', topic: 'a' } }, 'mqtt.address: found "http://x"'],
  [{ mqtt: { address: 'x:1883', topic: 'a/#' } }, 'mqtt.topic: found "a/#"'],
  [{ mqtt: { address: 'x:1883', topic: 'a', qos: 3 } }, 'mqtt.qos: found 3'],
  [{ otel: { endpointURL: 'x' }, dbMethod: {} }, 'otel, dbMethod: done by a mapper alone'],
])('%j is named with what would be right', (method, fault) => {
  expect(targetsOf(method)).toEqual({ targets: [], faults: [expect.stringContaining(fault)] })
})

const pushed = { namespace: 'default', name: 'lamp', property: 'a b', value: '1&2', type: 'string', at: 1700000000000 }

test('a POST is a form that any receiver reads, whatever the value holds', () => {
  const form = new URLSearchParams(formOf(pushed))
  expect(Object.fromEntries(form)).toEqual({
    'a b': '1&2',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
    timestamp: '1700000000000',
    device: 'default/lamp',
  })
})

test('a message is the data of one property', () => {
  expect(JSON.parse(payloadOf(pushed, 7))).toEqual({
    event_id: '7',
    timestamp: 1700000000000,
    device: 'default/lamp',
    data: { 'a b': { value: '1&2', metadata: { timestamp: 1700000000000, type: 'string' } } },
  })
})
