import { type Condition, withConditions } from '@kedge/cloudcore/kube/conditions'
import { expect, test } from 'vitest'

const ready: Condition = {
  type: 'Ready',
  status: 'True',
  reason: 'Ok',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  lastHeartbeatTime: '2026-01-01T00:00:00Z',
}
const other: Condition = { type: 'PodScheduled', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' }
const now = '2026-06-01T00:00:00Z'

test('another heartbeat alone changes nothing', () => {
  expect(withConditions([ready, other], [{ ...ready, lastHeartbeatTime: now, lastTransitionTime: now }], now)).toEqual([
    ready,
    other,
  ])
})

test('another reason keeps the transition time, another status moves it', () => {
  expect(withConditions([ready], [{ type: 'Ready', status: 'True', reason: 'Better' }], now)).toEqual([
    { type: 'Ready', status: 'True', reason: 'Better', lastTransitionTime: ready.lastTransitionTime },
  ])
  expect(withConditions([ready], [{ type: 'Ready', status: 'False' }], now)[0]?.lastTransitionTime).toBe(now)
})

test("a transition that has a time of its own keeps it, and others' conditions stay", () => {
  const at = '2026-05-05T00:00:00Z'
  const merged = withConditions([other], [{ ...ready, lastTransitionTime: at }], now)
  expect(merged).toEqual([other, { ...ready, lastTransitionTime: at }])
})
