import { conditionOf } from '@kedge/cloudcore/kube/conditions'
import { nodePlan, withTaint } from '@kedge/cloudcore/nodes/node-plan'
import type { Standing } from '@kedge/cloudcore/nodes/presence'
import { rfc3339 } from '@kedge/shared/clock'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

const start = Date.UTC(2026, 0, 1)
const hour = 3_600_000

function node(over: { autonomy?: string; downSince?: number; ready?: string } = {}): KubeObject {
  const conditions: Record<string, string>[] = [
    { type: 'Ready', status: over.ready ?? 'True', lastHeartbeatTime: rfc3339(start) },
  ]
  if (over.downSince !== undefined)
    conditions.push({ type: 'Connected', status: 'False', lastTransitionTime: rfc3339(over.downSince) })
  const annotations = over.autonomy === undefined ? undefined : { 'kedge.io/autonomy': over.autonomy }
  return { metadata: { name: 'edge-1', annotations }, status: { conditions } }
}

function plan(presence: Standing, now: number, over: Parameters<typeof node>[0] = {}) {
  return nodePlan({ node: node(over), presence, defaultAutonomy: hour, now })
}

const down = (since: number): Standing => ({ is: 'disconnected', since })

test('a link means Connected, no taint, a fresh lease', () => {
  const made = plan({ is: 'connected', since: start }, start)
  expect(made).toMatchObject({ tainted: false, renew: true })
  expect(conditionOf(made as never, 'Connected')).toMatchObject({ status: 'True', lastHeartbeatTime: rfc3339(start) })
})

test('within its autonomy a node keeps its lease, and the truth is said', () => {
  const made = plan(down(start), start + hour - 1000)
  expect(made).toMatchObject({ tainted: true, renew: true, lookAgainIn: 1000 })
  expect(made.conditions).toEqual([
    expect.objectContaining({
      ...{ type: 'Connected', status: 'False' },
      ...{ lastHeartbeatTime: rfc3339(start), lastTransitionTime: rfc3339(start) },
    }),
  ])
})

test('after it the lease ends; Ready is taken only when no controller has', () => {
  const ended = plan(down(start), start + hour)
  expect(ended).toMatchObject({ renew: false, lookAgainIn: 60_000 })
  expect(conditionOf(ended as never, 'Ready')).toBeUndefined()
  const late = plan(down(start), start + hour + 60_000)
  expect(conditionOf(late as never, 'Ready')).toMatchObject({
    ...{ status: 'Unknown', reason: 'NodeStatusUnknown' },
    lastHeartbeatTime: rfc3339(start),
  })
  expect(late.lookAgainIn).toBeUndefined()
  const taken = plan(down(start), start + hour + 60_000, { ready: 'Unknown' })
  expect(conditionOf(taken as never, 'Ready')).toBeUndefined()
})

test('the time out of reach counts over restarts of cloudcore', () => {
  const made = plan(down(start + 50 * 60_000), start + hour, { downSince: start })
  expect(made.renew).toBe(false)
})

test('a node may declare its own autonomy', () => {
  expect(plan(down(start), start + 2 * hour, { autonomy: '24h' })).toMatchObject({ renew: true })
  expect(plan(down(start), start + 2000, { autonomy: '1s' })).toMatchObject({ renew: false })
})

test('an autonomy that cannot be read is told, and the default counts', () => {
  const made = plan(down(start), start + 1000, { autonomy: 'long' })
  expect(made.renew).toBe(true)
  expect(conditionOf(made as never, 'Connected')?.message).toContain('"long" is not a duration')
})

test.each([
  ['connected before', {}, true],
  ['out of reach before, within its autonomy', { downSince: start - hour / 2 }, true],
  ['out of reach before, for too long', { downSince: start - 2 * hour }, false],
])('until a node has been heard of, nothing is said of one that was %s', (_, over, renew) => {
  expect(plan({ is: 'unknown', since: start }, start, over)).toEqual({ conditions: [], tainted: undefined, renew })
})

test('the taint comes and goes, and others stay', () => {
  const theirs = { key: 'gpu', effect: 'NoExecute' }
  const ours = { key: 'kedge.io/disconnected', effect: 'NoSchedule' }
  expect(withTaint({}, true)).toEqual({ taints: [ours] })
  expect(withTaint({ taints: [theirs] }, true)).toEqual({ taints: [theirs, ours] })
  expect(withTaint({ taints: [ours, theirs] }, false)).toEqual({ taints: [theirs] })
  expect(withTaint({ taints: [ours] }, undefined)).toEqual({ taints: [ours] })
})
