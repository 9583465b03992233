import { UnknownTopics } from '@kedge/edgecore/devices/unknown-topics'
import type { Log } from '@kedge/shared/log'
import { expect, test } from 'vitest'

test('a misspelt action is told once; topics of others are not told', () => {
  const told: unknown[] = []
  const topics = new UnknownTopics({ warn: ({ topic }: { topic: string }) => told.push(topic) } as unknown as Log)
  const misspelt = '$hw/events/device/default/lamp/twin/updat'
  for (const topic of [misspelt, misspelt, 'news/x', '$hw/events/upload/x', '$ke/events/device/lamp/data/update']) {
    topics.heed(topic)
  }
  expect(told).toEqual([misspelt])
  for (let count = 0; count < 200; count++) topics.heed(`$hw/events/node/edge-1/${count}`)
  expect(told).toHaveLength(201)
})
