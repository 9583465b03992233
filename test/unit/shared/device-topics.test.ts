import { deviceTopic, isAnswer, matches, nodeTopic, parseDeviceTopic } from '@kedge/shared/device-topics'
import { describe, expect, test } from 'vitest'

describe('parseDeviceTopic', () => {
  const prefix = '$hw/events/device/'
  test.each([
    ['default/lamp/twin/update', 'default', 'lamp', 'twin/update'],
    ['default/lamp/twin/update/result', 'default', 'lamp', 'twin/update/result'],
    ['lamp/twin/update', undefined, 'lamp', 'twin/update'],
    ['lamp/twin/update/delta', undefined, 'lamp', 'twin/update/delta'],
    ['lamp/updated', undefined, 'lamp', 'updated'],
    ['twin/twin/get', undefined, 'twin', 'twin/get'],
    ['twin/twin/twin/get', 'twin', 'twin', 'twin/get'],
    ['state/update/state/update', 'state', 'update', 'state/update'],
    ['device/event/state/update/result', 'device', 'event', 'state/update/result'],
    ['dev/a.b/twin/get/result', 'dev', 'a.b', 'twin/get/result'],
  ])('%s', (rest, namespace, name, action) => {
    const topic = prefix + rest
    expect(parseDeviceTopic(topic)).toEqual({ of: 'device', namespace, name, action })
    expect(deviceTopic({ namespace, name }, action as 'updated')).toBe(topic)
  })

  test.each([
    `${prefix}lamp`,
    `${prefix}twin/update`,
    `${prefix}/twin/update`,
    `${prefix}//twin/update`,
    `${prefix}a//twin/update`,
    `${prefix}a/b/c/twin/update`,
    `${prefix}a/b/twin/cloud_updated`,
    `${prefix}a/b/twin/update/`,
    '$hw/events/node//membership/get',
    '$hw/events/node/a/membership',
    '$hw/events/upload/x',
    'hw/events/device/a/b/twin/update',
    'a/user/b',
    '',
  ])('%j is none', (topic) => {
    expect(parseDeviceTopic(topic)).toBeUndefined()
  })

  test.each(['membership/get', 'membership/get/result', 'membership/updated'] as const)('node %s', (action) => {
    expect(parseDeviceTopic(nodeTopic('node', action))).toEqual({ of: 'node', node: 'node', action })
  })
})

test('only edgecore answers', () => {
  expect(
    ['twin/update', 'twin/get', 'state/update', 'membership/get'].map((each) => isAnswer(each as 'updated')),
  ).toEqual(Array(4).fill(false))
  expect(['twin/update/delta', 'updated', 'membership/updated'].map((each) => isAnswer(each as 'updated'))).toEqual(
    Array(3).fill(true),
  )
})

test.each([
  ['a/b', 'a/b', true],
  ['a/+', 'a/b', true],
  ['a/+', 'a/b/c', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['+/+', 'a', false],
  ['a/b', 'a', false],
  ['#', '$hw/a', false],
  ['+/a', '$hw/a', false],
  ['$hw/#', '$hw/a', true],
  ['$hw/events/device/+/+/twin/update/delta', '$hw/events/device/a/b/twin/update/delta', true],
])('filter %s, topic %s: %s', (filter, topic, expected) => {
  expect(matches(filter, topic)).toBe(expected)
})
