import { type DeviceReport, fold, laneOf, type Report, subjectOf } from '@kedge/shared/reports'
import { describe, expect, test } from 'vitest'

const temperature = (value: string, at: number) => ({ type: 'float', reported: { value, at } })

function device(fields: Partial<DeviceReport>): DeviceReport {
  return { is: 'device', namespace: 'default', name: 'lamp', uid: 'u1', ...fields }
}

describe('two reports on one device fold into one', () => {
  test('property by property, the newer wins', () => {
    const older = device({ twins: { a: temperature('1', 1), b: temperature('2', 1) } })
    const newer = device({ twins: { b: temperature('3', 2), c: null } })
    expect(fold(older, newer)).toEqual(device({ twins: { a: temperature('1', 1), b: temperature('3', 2), c: null } }))
  })

  test('keeping a state that the newer says nothing of', () => {
    const older = device({ state: 'online', lastOnlineTime: '2026-01-01T00:00:00Z' })
    expect(fold(older, device({ twins: { a: null } }))).toEqual({ ...older, twins: { a: null } })
  })

  test('unless the device was made anew meanwhile', () => {
    const newer = device({ uid: 'u2', state: 'online' })
    expect(fold(device({ twins: { a: temperature('1', 1) } }), newer)).toEqual(newer)
  })
})

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
  expect([subjectOf(device({})), laneOf(device({}))]).toEqual(['devices/default/lamp', 'state'])
})
