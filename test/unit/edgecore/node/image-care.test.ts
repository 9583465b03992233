import { type ImageCare, startImageCare } from '@kedge/edgecore/node/image-care'
import type { ImageInfo } from '@kedge/edgecore/pods/runtime'
import { silentLog } from '@kedge/shared/log'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

let clock: HandClock
let care: ImageCare
let images: ImageInfo[]
let available: number
let wanted: string[]
let told: string[]

beforeEach(async () => {
  clock = new HandClock()
  images = ['a', 'b', 'c'].map((id) => ({
    id,
    names: [`registry.test/${id}:1`],
    digests: [],
    bytes: 10,
    pinned: false,
  }))
  available = 50
  wanted = ['registry.test/a:1', 'registry.test/b:1', 'registry.test/c:1']
  told = []
  const runtime = {
    images: async () => images,
    imageFsInfo: async () => [{ path: '/images', usedBytes: 30 }],
    list: async () => [],
    async removeImage(id: string) {
      images = images.filter((one) => one.id !== id)
      available += 10
    },
  }
  care = startImageCare({
    ...{ runtime, wanted: () => wanted, clock, log: silentLog, scheduler: clock },
    room: async () => ({ total: 100, available }),
    onShort: (message) => told.push(message),
  })
  onTestFinished(() => care.stop())
  await care.look()
})

const ids = () => images.map(({ id }) => id).join('')

async function aWhile(): Promise<void> {
  clock.tick(300_000)
  await care.look()
}

test('a full disk loses what was unused for longest, and what an offline start needs stays', async () => {
  wanted = ['registry.test/a:1', 'registry.test/c:1']
  await aWhile()
  wanted = ['registry.test/a:1']
  await aWhile()
  available = 14
  await aWhile()
  expect(ids()).toBe('ac')
  expect(care.counts).toEqual({ removed: 1, bytes: 10 })
  available = 5
  await aWhile()
  expect(ids()).toBe('a')
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('5 bytes too little on /images')
})

test('while there is room everything stays', async () => {
  wanted = []
  await aWhile()
  expect(ids()).toBe('abc')
})
