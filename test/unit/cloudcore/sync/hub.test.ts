import { type HubCatalog, SyncHub } from '@kedge/cloudcore/sync/hub'
import type { News } from '@kedge/cloudcore/sync/session'
import { digestOf, emptyDigest, hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import type { DownFrame, Frame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, keyOf, parseKey, type Resource } from '@kedge/shared/objects'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'

/** A catalog whose objects the test sets by hand. */
class HandCatalog implements HubCatalog {
  readonly #objects = new Map<Key, KubeObject>()
  readonly #listeners = new Set<(change: { key: Key; before?: KubeObject; after?: KubeObject }) => void>()

  set(resource: Resource, object: KubeObject): void {
    const key = keyOf(resource, object.metadata.namespace ?? 'default', object.metadata.name)
    const before = this.#objects.get(key)
    this.#objects.set(key, object)
    for (const listener of this.#listeners) listener({ key, before, after: object })
  }

  remove(key: Key): void {
    const before = this.#objects.get(key)
    this.#objects.delete(key)
    for (const listener of this.#listeners) listener({ key, before })
  }

  get(key: Key) {
    const object = this.#objects.get(key)
    const resource = parseKey(key)?.resource
    return object && resource && { object, hash: hashOf(key, contentText(resource, object)) }
  }

  onChange(listener: (change: { key: Key; before?: KubeObject; after?: KubeObject }) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Nodes that are not served yet. */
  readonly unserved = new Set<string>()
  readonly #onServed = new Set<(node: string) => void>()

  serves(node: string): boolean {
    return !this.unserved.has(node)
  }

  onServed(listener: (node: string) => void): () => void {
    this.#onServed.add(listener)
    return () => this.#onServed.delete(listener)
  }

  serve(node: string): void {
    this.unserved.delete(node)
    for (const listener of this.#onServed) listener(node)
  }

  podsOn(node: string): KubeObject[] {
    return this.#on('pods/', node)
  }

  devicesOn(node: string): KubeObject[] {
    return this.#on('devices/', node)
  }

  #on(prefix: string, node: string): KubeObject[] {
    return [...this.#objects]
      .filter(([key, { spec }]) => key.startsWith(prefix) && spec?.nodeName === node)
      .map(([, object]) => object)
  }
}

let catalog: HandCatalog
let hub: SyncHub
let sent: [string, DownFrame][]
let news: News[]

beforeEach(() => {
  catalog = new HandCatalog()
  sent = []
  news = []
  hub = new SyncHub({
    catalog,
    send: (node, frame) => sent.push([node, frame]),
    onNews: (_node, each) => news.push(each),
    epoch: 'e1',
    clock: systemClock,
    log: silentLog,
  })
})

afterEach(() => hub.stop())

const pod = (name: string, nodeName: string, configMap?: string): KubeObject => ({
  metadata: { name, namespace: 'default', uid: name },
  spec: { nodeName, containers: [], volumes: configMap ? [{ name: 'v', configMap: { name: configMap } }] : [] },
})
const configMap = (name: string, value: string): KubeObject => ({
  metadata: { name, namespace: 'default' },
  data: { value },
})

let talks = 0
function connect(node: string): void {
  hub.up(node)
  hub.receive(node, {
    is: 'have',
    protocol: 1,
    speaks: 2,
    talk: `t.${++talks}`,
    epoch: '',
    revision: 0,
    digest: emptyDigest,
    count: 0,
    why: 'connect',
    edgecore: 'test',
  })
}

/** The node confirms what it was sent last. */
function confirm(node: string, refused: { key: Key; reason: string }[] = []): void {
  const change = changesTo(node).at(-1)
  if (change === undefined) throw new Error('nothing was sent')
  const { talk, epoch, to, digest } = change
  hub.receive(node, { is: 'applied', talk, epoch, revision: to, digest, refused, all: true })
}

/** What a node was sent so far, put together. */
function holds(node: string): Key[] {
  const held = new Set<Key>()
  for (const [to, frame] of sent) {
    if (to !== node || frame.is !== 'changes') continue
    for (const [key] of frame.put) held.add(key)
    for (const key of frame.drop) held.delete(key)
  }
  return [...held].sort()
}

const changesTo = (node: string) =>
  sent.filter(([to, { is }]) => to === node && is === 'changes').map(([, frame]) => frame as Frame<'changes'>)

describe('the hub', () => {
  test('gives a node its pods and what they refer to, and nothing else', () => {
    catalog.set('configmaps', configMap('mine', '1'))
    catalog.set('configmaps', configMap('other', '1'))
    catalog.set('pods', pod('a', 'edge-1', 'mine'))
    catalog.set('pods', pod('b', 'edge-2', 'other'))
    connect('edge-1')
    expect(holds('edge-1')).toEqual(['configmaps/default/mine', 'pods/default/a'])
  })

  test('sends one change for many quick edits, with the newest content', async () => {
    connect('edge-1')
    catalog.set('pods', pod('a', 'edge-1', 'c'))
    for (const value of ['1', '2', '3']) catalog.set('configmaps', configMap('c', value))
    await eventually(() => expect(changesTo('edge-1')).toHaveLength(1))
    const put = changesTo('edge-1')[0]?.put ?? []
    expect(put.map(([key]) => key).sort()).toEqual(['configmaps/default/c', 'pods/default/a'])
    expect(put.find(([key]) => key === 'configmaps/default/c')?.[1].data).toEqual({ value: '3' })
  })

  test('sends what a pod refers to as soon as it exists, and takes it away with the pod', async () => {
    catalog.set('pods', pod('a', 'edge-1', 'late'))
    connect('edge-1')
    expect(holds('edge-1')).toEqual(['pods/default/a'])
    catalog.set('configmaps', configMap('late', '1'))
    await eventually(() => expect(holds('edge-1')).toEqual(['configmaps/default/late', 'pods/default/a']))
    catalog.remove('pods/default/a')
    await eventually(() => expect(holds('edge-1')).toEqual([]))
  })

  test('moves an object when its node changes', async () => {
    catalog.set('devices', {
      metadata: { name: 'd', namespace: 'default' },
      spec: { nodeName: 'edge-1', deviceModelRef: { name: 'm' } },
    })
    catalog.set('devicemodels', { metadata: { name: 'm', namespace: 'default' }, spec: {} })
    connect('edge-1')
    connect('edge-2')
    expect(holds('edge-1')).toEqual(['devicemodels/default/m', 'devices/default/d'])
    catalog.set('devices', {
      metadata: { name: 'd', namespace: 'default' },
      spec: { nodeName: 'edge-2', deviceModelRef: { name: 'm' } },
    })
    await eventually(() => expect(holds('edge-2')).toEqual(['devicemodels/default/m', 'devices/default/d']))
    await eventually(() => expect(holds('edge-1')).toEqual([]))
  })

  test('sends nothing for a status that changed', async () => {
    catalog.set('pods', pod('a', 'edge-1'))
    connect('edge-1')
    const before = sent.length
    catalog.set('pods', { ...pod('a', 'edge-1'), status: { phase: 'Running' } })
    catalog.set('pods', pod('b', 'edge-1'))
    await eventually(() => expect(holds('edge-1')).toHaveLength(2))
    expect(sent).toHaveLength(before + 1)
    expect(
      changesTo('edge-1')
        .at(-1)
        ?.put.map(([key]) => key),
    ).toEqual(['pods/default/b'])
  })

  test('answers a node that holds what it should with one short frame', () => {
    for (let index = 0; index < 1000; index++) catalog.set('pods', pod(`p${index}`, 'edge-1'))
    const held = new Map(
      [...Array(1000).keys()].map((index) => {
        const key: Key = `pods/default/p${index}`
        return [key, catalog.get(key)?.hash ?? '']
      }),
    )
    const digest = digestOf(held)
    hub.up('edge-1')
    hub.receive('edge-1', {
      is: 'have',
      protocol: 1,
      talk: 't.9',
      epoch: 'old',
      revision: 7,
      digest,
      count: 1000,
      why: 'connect',
      edgecore: 'x',
    })
    expect(sent).toEqual([['edge-1', { is: 'same', talk: 't.9', epoch: 'e1', revision: 1, digest }]])
  })

  test('lets a node wait until all that is bound to it is known, and answers then', () => {
    catalog.unserved.add('edge-1')
    connect('edge-1')
    catalog.set('pods', pod('a', 'edge-1'))
    expect(sent).toEqual([])
    catalog.serve('edge-1')
    expect(holds('edge-1')).toEqual(['pods/default/a'])
  })

  test('answers nothing to a node that went away while it waited', () => {
    catalog.unserved.add('edge-1')
    connect('edge-1')
    hub.down('edge-1')
    catalog.serve('edge-1')
    expect(sent).toEqual([])
  })

  test('refuses an edge of another protocol with the reason', () => {
    hub.up('edge-1')
    hub.receive('edge-1', {
      is: 'have',
      protocol: 3,
      talk: 't.1',
      epoch: '',
      revision: 0,
      digest: emptyDigest,
      count: 0,
      why: 'connect',
      edgecore: 'x',
    })
    expect(sent).toEqual([
      ['edge-1', { is: 'sorry', talk: 't.1', reason: expect.stringContaining('protocol 3, this cloudcore 1 to 2') }],
    ])
  })

  test('says of each object where it stands on its node', async () => {
    const versioned = (name: string, version: string): KubeObject => {
      const made = pod(name, 'edge-1')
      return { ...made, metadata: { ...made.metadata, resourceVersion: version, generation: 1 } }
    }
    catalog.set('pods', versioned('a', '10'))
    expect(hub.objects('edge-1')).toBeUndefined()
    connect('edge-1')
    expect(hub.object('edge-1', 'pods/default/a')).toMatchObject({
      state: 'sending',
      wanted: { resourceVersion: '10' },
      held: undefined,
    })
    confirm('edge-1', [{ key: 'pods/default/a', reason: 'no' }])
    expect(hub.object('edge-1', 'pods/default/a')).toMatchObject({ state: 'refused', reason: 'no' })
    catalog.set('pods', { ...versioned('a', '11'), data: 'new' })
    await eventually(() => changesTo('edge-1').length === 2)
    expect(hub.object('edge-1', 'pods/default/a')).toMatchObject({
      state: 'sending',
      wanted: { resourceVersion: '11' },
      held: { resourceVersion: '10' },
    })
    confirm('edge-1')
    expect(hub.object('edge-1', 'pods/default/a')).toMatchObject({ state: 'held', held: { resourceVersion: '11' } })
    expect([...hub.counts()]).toEqual([
      { node: 'edge-1', counts: { held: 1, sending: 0, waiting: 0, refused: 0, unknown: 0 } },
    ])
    hub.down('edge-1')
    catalog.set('pods', versioned('b', '12'))
    await eventually(() => hub.object('edge-1', 'pods/default/b')?.state === 'waiting')
    expect(news.map(({ is }) => is)).toEqual(['held', 'refused', 'sure', 'usable', 'held'])
  })

  test('sends nothing that is too large for a node, says so, and lets the rest through', async () => {
    catalog.set('pods', pod('a', 'edge-1', 'huge'))
    catalog.set('configmaps', configMap('huge', 'small as yet'))
    connect('edge-1')
    confirm('edge-1')
    catalog.set('configmaps', configMap('huge', 'x'.repeat(9 * 1024 * 1024)))
    catalog.set('pods', pod('b', 'edge-1'))
    await eventually(() => changesTo('edge-1').length === 2)
    confirm('edge-1')
    // What the node holds of it stays.
    expect(holds('edge-1')).toEqual(['configmaps/default/huge', 'pods/default/a', 'pods/default/b'])
    expect(hub.object('edge-1', 'configmaps/default/huge')).toMatchObject({
      state: 'refused',
      reason: expect.stringContaining('8 MiB'),
    })
    expect(news).toContainEqual({ is: 'refused', key: 'configmaps/default/huge' })
    catalog.set('configmaps', configMap('huge', 'small again'))
    await eventually(() => hub.object('edge-1', 'configmaps/default/huge')?.state === 'sending')
    expect(news).toContainEqual({ is: 'usable', key: 'configmaps/default/huge' })
  })
})
