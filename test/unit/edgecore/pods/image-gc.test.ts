import { collect, fullName, idsOf, imageLimits } from '@kedge/edgecore/pods/image-gc'
import type { ImageInfo } from '@kedge/edgecore/pods/runtime'
import { expect, test } from 'vitest'

const image = (id: string, over: Partial<ImageInfo> = {}): ImageInfo => ({
  ...{ id, names: [`docker.io/library/${id}:1`], digests: [], bytes: 10, pinned: false },
  ...over,
})

const hour = 3_600_000
const used = (info: ImageInfo, lastUsed: number, firstSeen = 0) => ({ image: info, firstSeen, lastUsed })

function removed(over: Partial<Parameters<typeof collect>[0]> = {}): string[] {
  const images = [used(image('new'), 30), used(image('old'), 10), used(image('middle'), 20)]
  const disk = { total: 100, available: 5 }
  return collect({ images, needed: new Set(), disk, limits: imageLimits, now: hour, ...over }).remove.map(
    ({ id }) => id,
  )
}

test('a full disk gives up what was unused for longest, and no more than it must', () => {
  expect(removed()).toEqual(['old', 'middle'])
})

test('a disk that is not full gives up nothing', () => {
  expect(removed({ disk: { total: 100, available: 16 } })).toEqual([])
  expect(removed({ disk: { total: 100, available: 15 } })).toEqual(['old'])
})

test.each([
  ['that is needed', { needed: new Set(['old']) }],
  [
    'that the engine needs',
    { images: [used(image('old', { pinned: true }), 10), used(image('middle'), 20), used(image('new'), 30)] },
  ],
  [
    'that has just come',
    { images: [used(image('old'), 10, hour - 1000), used(image('middle'), 20), used(image('new'), 30)] },
  ],
])('an image stays %s, however full the disk is', (_what, over) => {
  expect(removed(over)).toEqual(['middle', 'new'])
})

test.each([
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['bitnami/redis', 'docker.io/bitnami/redis:latest'],
  ['ghcr.io/a/b:v1', 'ghcr.io/a/b:v1'],
  ['localhost:5000/a', 'localhost:5000/a:latest'],
  ['localhost/a', 'localhost/a:latest'],
  ['nginx:1@sha256:ab', 'docker.io/library/nginx@sha256:ab'],
])('the whole name of %s', (reference, name) => {
  expect(fullName(reference)).toBe(name)
})

test('a name, a digest or an id finds the image', () => {
  const images = [image('nginx', { digests: ['docker.io/library/nginx@sha256:ab'] }), image('redis')]
  expect([...idsOf(['nginx:1', 'nginx@sha256:ab', 'nginx'], images)]).toEqual(['nginx'])
  expect([...idsOf(['nginx:2', 'mysql'], images)]).toEqual([])
})
