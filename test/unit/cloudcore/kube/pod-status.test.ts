import { podStatus } from '@kedge/cloudcore/kube/pod-status'
import { expect, test } from 'vitest'

const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }

test("a report replaces the kubelet's part and keeps the cloud's", () => {
  const held = { phase: 'Pending', qosClass: 'BestEffort', message: 'old', conditions: [scheduled] }
  const reported = { phase: 'Running', qosClass: 'Guaranteed', conditions: [{ type: 'Ready', status: 'True' }] }
  expect(podStatus(held, reported, 'now')).toEqual({
    phase: 'Running',
    qosClass: 'BestEffort',
    conditions: [scheduled, { type: 'Ready', status: 'True', lastTransitionTime: 'now' }],
  })
})
