import { Objects } from '@kedge/edgecore/store/objects'
import { Store } from '@kedge/edgecore/store/store'
import { Holding } from '@kedge/edgecore/sync/holding'
import { usable } from '@kedge/edgecore/sync/usable'
import { canonical } from '@kedge/shared/canonical'
import { digestOf, emptyDigest, hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import type { Frame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

let path: string
let store: Store
let holding: Holding

beforeEach(() => {
  path = `${tempDir()}/edge.db`
  open()
})

afterEach(() => store.close())

function open(): void {
  store = Store.open({ path, clock: systemClock, log: silentLog })
  holding = new Holding(store, new Objects(store.db), usable)
}

const configMap = (name: string): [Key, KubeObject] => [
  `configmaps/default/${name}`,
  { metadata: { name, namespace: 'default' }, data: {} },
]

function changes(put: [Key, KubeObject][], fields: Partial<Frame<'changes'>> = {}): Frame<'changes'> {
  const digest = digestOf(new Map(put.map(([key, content]) => [key, hashOf(key, canonical(content))])))
  const place = { epoch: 'e1', from: 0, to: 1, base: emptyDigest, digest }
  return { is: 'changes', talk: 't.1', ...place, put, drop: [], complete: true, ...fields }
}

describe('what this edge holds', () => {
  test('is on disk with its place once the change is applied', async () => {
    await holding.apply(changes([configMap('a')]))
    store.close()
    open()
    expect([holding.epoch, holding.revision, [...holding.inventory.keys()]]).toEqual([
      'e1',
      1,
      ['configmaps/default/a'],
    ])
  })

  test('stays as it was when the result is not what the cloud announced', () => {
    expect(holding.apply(changes([configMap('a')], { digest: emptyDigest }))).toBeUndefined()
    expect([holding.revision, holding.inventory.size, holding.digest]).toEqual([0, 0, emptyDigest])
  })

  test('is complete once a change said so, and stays that over a restart', async () => {
    await holding.apply(changes([configMap('a')], { complete: false }))
    expect(holding.complete).toBe(false)
    const next = changes([configMap('a'), configMap('b')])
    await holding.apply({ ...next, base: holding.digest, from: 1, to: 2 })
    store.close()
    open()
    expect(holding.complete).toBe(true)
  })

  test('is complete when the cloud says that it is what it should be', async () => {
    await holding.adopt('e1', 1)
    expect(holding.complete).toBe(true)
  })

  test('may hold what this edge cannot use, with the reason, and the rest beside it', async () => {
    const bad: [Key, KubeObject] = [
      'devices/default/bad',
      { metadata: { name: 'bad', namespace: 'default' }, spec: { properties: 'none' as never } },
    ]
    const refused = await holding.apply(changes([bad, configMap('a')]))
    expect(refused).toEqual([{ key: 'devices/default/bad', reason: expect.stringContaining('spec.properties') }])
    expect(holding.inventory.size).toBe(2)
    expect(new Objects(store.db).get('devices/default/bad')?.refused).toContain('spec.properties')
  })

  test.each([
    ['pods/default/web', { metadata: { name: 'web', namespace: 'default' }, spec: {} }, 'spec.containers'],
    ['configmaps/default/a', { metadata: { name: 'b', namespace: 'default' } }, 'names default/b'],
  ] as [Key, KubeObject, string][])('%s that is not in order is marked', async (key, content, reason) => {
    const refused = await holding.apply(changes([[key, content]]))
    expect(refused?.[0]?.reason).toContain(reason)
  })
})
