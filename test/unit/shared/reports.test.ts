import { type DeviceReport, laneOf, type Report, subjectOf } from '@kedge/shared/reports'
import { expect, test } from 'vitest'

function device(fields: Partial<DeviceReport>): DeviceReport {
  return { is: 'device', namespace: 'default', name: 'lamp', uid: 'u1', ...fields }
}

test('subjects and lanes', () => {
  const event: Report = {
    is: 'event',
    id: '0123456789ab',
    regarding: { apiVersion: 'v1', kind: 'Pod', name: 'web' },
    type: 'Normal',
    reason: 'Started',
    message: 'Started container web',
    at: 1,
    by: 'pods',
  }
  expect([subjectOf(event), laneOf(event)]).toEqual(['events/0123456789ab', 'events'])
  expect(laneOf({ ...event, type: 'Warning' })).toBe('alarms')
  expect([subjectOf(device({})), laneOf(device({}))]).toEqual(['devices/default/lamp', 'state'])
  const gap = { is: 'gap', id: 'gap-0001', lane: 'events', why: 'bytes', count: 1, bytes: 9, from: 1, to: 2 } as const
  expect([subjectOf(gap), laneOf(gap)]).toEqual(['gaps/events/bytes', 'control'])
})
