import { deviceStatus, twinsIn, withReport } from '@kedge/cloudcore/kube/device-status'
import type { DeviceReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'

const report: DeviceReport = { is: 'device', namespace: 'default', name: 'd', uid: 'u1' }
const at = (value: string, ms: number) => ({ value, at: ms })

test("twins are written in KubeEdge's form", () => {
  const live = withReport(undefined, {
    ...report,
    twins: { temp: { type: 'float', desired: at('20', 1700), reported: at('19.5', 1800.7) }, mode: { type: 'string' } },
    state: 'online',
    lastOnlineTime: '2026-01-01T00:00:00Z',
  })
  expect(deviceStatus({}, live, [], 'now')).toEqual({
    twins: [
      {
        propertyName: 'temp',
        observedDesired: { value: '20', metadata: { timestamp: '1700', type: 'float' } },
        reported: { value: '19.5', metadata: { timestamp: '1800', type: 'float' } },
      },
      { propertyName: 'mode' },
    ],
    state: 'online',
    lastOnlineTime: '2026-01-01T00:00:00Z',
  })
})

const held = {
  extensions: { a: 1 },
  twins: [
    { propertyName: 'temp', reported: { value: '19', metadata: { timestamp: '1', type: 'float' } } },
    { propertyName: 'mode', reported: { value: 'eco', metadata: { timestamp: '2', type: 'string' } } },
  ],
}

test('the same value at another time changes nothing', () => {
  const live = withReport(undefined, { ...report, twins: { temp: { type: 'float', reported: at('19', 99) } } })
  expect(deviceStatus(held, live, [], 'now')).toEqual(held)
})

test('a deleted property goes, others stay where they are', () => {
  const live = withReport(undefined, { ...report, twins: { temp: null, speed: { type: 'int', reported: at('3', 5) } } })
  expect(twinsIn(deviceStatus(held, live, [], 'now')).map(({ propertyName }) => propertyName)).toEqual([
    'mode',
    'speed',
  ])
})

test('reports fold, the newest of each property wins; of a device made anew only the new one counts', () => {
  const first = withReport(undefined, { ...report, state: 'online', twins: { a: { type: 'int' }, b: { type: 'int' } } })
  const second = withReport(first, { ...report, twins: { b: null } })
  expect(second).toMatchObject({
    state: 'online',
    twins: new Map([
      ['a', { type: 'int' }],
      ['b', null],
    ]),
  })
  const anew = withReport(second, { ...report, uid: 'u2', twins: { c: { type: 'int' } } })
  expect(anew).toEqual({
    uid: 'u2',
    twins: new Map([['c', { type: 'int' }]]),
    state: undefined,
    lastOnlineTime: undefined,
  })
})

test('a status that is not as it should be is no obstacle', () => {
  expect(deviceStatus({ twins: 'oops', conditions: [7] }, undefined, [], 'now')).toMatchObject({ twins: [] })
})
