import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import {
  contentOf,
  contentText,
  type Key,
  type KubeObject,
  keyOf,
  parseKey,
  type Resource,
} from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { identityLabel } from '../identity/records.ts'
import type { Kube } from './api.ts'
import { type CatalogChange, type CatalogEntry, Entry, type NodeChange, sameVersion } from './catalog-entry.ts'
import type { Counters } from './counters.ts'
import { IndexByNode } from './index-by-node.ts'
import { Listeners } from './listeners.ts'
import { collectionPath, type WatchedResource, watchedResources } from './paths.ts'
import { isEdgeNode, nodeOf, trim } from './trim.ts'
import { WatchLoop, type WatchSink } from './watch-loop.ts'

export interface CatalogOptions {
  kube: Pick<Kube, 'list' | 'confirm' | 'watch'>
  log: Log
  clock: Clock
  counters?: Counters
  /** A draw from [0, 1), for the pauses after trouble. */
  random?: () => number
}

/**
 * The newest copy of everything that edge nodes may need, as one watch per kind tells it.
 *
 * Invariants:
 * - the indexes agree with the entries after every change, and listeners are told after both;
 * - pods are kept when they are bound to an edge node. When a node becomes one, the pods that were bound to it before
 *   are listed again, so none is missed. ConfigMaps and Secrets are all kept for now: which of them pods refer to is
 *   known only node by node.
 */
export class Catalog implements Service {
  /** Resolves once every kind has been listed: before that, absence proves nothing. */
  readonly ready: Promise<void>
  readonly #entries = new Map<Key, Entry>()
  readonly #nodes = new Map<string, KubeObject>()
  readonly #byNode = { pods: new IndexByNode(), devices: new IndexByNode() }
  /** Nodes, not at the edge as far as known, that pods were bound to which were not kept. */
  readonly #passedOver = new Set<string>()
  /** Edge nodes whose pods are being listed again. */
  readonly #unserved = new Set<string>()
  readonly #served: Listeners<string>
  readonly #loops: Record<WatchedResource, WatchLoop>
  readonly #changes: Listeners<CatalogChange>
  readonly #nodeChanges: Listeners<NodeChange>
  readonly #unlisted = new Set<WatchedResource>(watchedResources)
  readonly #readyNow: () => void
  #stopped = false

  constructor(options: CatalogOptions) {
    const { promise, resolve } = deferred()
    this.ready = promise
    this.#readyNow = resolve
    const onError = (error: unknown) => options.log.error({ error: explain(error) }, 'catalog listener failed')
    this.#changes = new Listeners(onError)
    this.#nodeChanges = new Listeners(onError)
    this.#served = new Listeners(onError)
    const loop = (resource: WatchedResource) =>
      new WatchLoop({ ...options, path: collectionPath(resource), sink: this.#sinkOf(resource) })
    this.#loops = Object.fromEntries(watchedResources.map((resource) => [resource, loop(resource)])) as Record<
      WatchedResource,
      WatchLoop
    >
  }

  /** The nodes come first: which pods are kept depends on them. */
  start(): void {
    for (const [resource, loop] of Object.entries(this.#loops)) if (resource !== 'pods') loop.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(Object.values(this.#loops).map((loop) => loop.stop()))
  }

  get(key: Key): CatalogEntry | undefined {
    return this.#entries.get(key)
  }

  /** What an edge needs of the object. */
  content(key: Key): KubeObject | undefined {
    const entry = this.#entries.get(key)
    return entry && contentOf(resourceOf(key), entry.object)
  }

  /** The canonical text of `content(key)`: what is hashed. */
  text(key: Key): string | undefined {
    const entry = this.#entries.get(key)
    return entry && contentText(resourceOf(key), entry.object)
  }

  podsOn(node: string): Iterable<KubeObject> {
    return this.#objects(this.#byNode.pods.on(node))
  }

  devicesOn(node: string): Iterable<KubeObject> {
    return this.#objects(this.#byNode.devices.on(node))
  }

  node(name: string): KubeObject | undefined {
    return this.#nodes.get(name)
  }

  nodes(): Iterable<KubeObject> {
    return this.#nodes.values()
  }

  /** Whether everything that is bound to a node is known: its Node is there, and its pods have been listed since. */
  serves(node: string): boolean {
    const known = this.#nodes.get(node)
    return known !== undefined && isEdgeNode(known) && !this.#unserved.has(node)
  }

  /** Calls `listener` with each node from which on `serves` holds; returns the way to stop. */
  onServed(listener: (node: string) => void): () => void {
    return this.#served.add(listener)
  }

  keys(): Iterable<Key> {
    return this.#entries.keys()
  }

  /** Calls `listener` after every change of an object other than a node; returns the way to stop. */
  onChange(listener: (change: CatalogChange) => void): () => void {
    return this.#changes.add(listener)
  }

  onNodeChange(listener: (change: NodeChange) => void): () => void {
    return this.#nodeChanges.add(listener)
  }

  *#objects(keys: Iterable<Key>): Iterable<KubeObject> {
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) yield entry.object
    }
  }

  #sinkOf(resource: WatchedResource): WatchSink {
    const set = (name: string, object: KubeObject | undefined) =>
      resource === 'nodes' ? this.#setNode(name, object) : this.#set(resource, name as Key, object)
    const nameOf = (object: KubeObject) =>
      resource === 'nodes'
        ? object.metadata.name
        : keyOf(resource, object.metadata.namespace ?? '', object.metadata.name)
    return {
      trim: (object) => trim(resource, object),
      put: (object) => set(nameOf(object), trim(resource, object)),
      remove: (object) => set(nameOf(object), undefined),
      replace: (objects) => {
        const listed = new Map(objects.map((object) => [nameOf(object), object]))
        for (const name of [...this.#namesOf(resource)]) if (!listed.has(name)) set(name, undefined)
        for (const [name, object] of listed) set(name, object)
        this.#listed(resource)
      },
    }
  }

  *#namesOf(resource: WatchedResource): Iterable<string> {
    if (resource === 'nodes') yield* this.#nodes.keys()
    else for (const key of this.#entries.keys()) if (key.startsWith(`${resource}/`)) yield key
  }

  #listed(resource: WatchedResource): void {
    if (resource === 'nodes' && !this.#stopped) this.#loops.pods.start()
    if (resource === 'pods') this.#servedNow([...this.#unserved].filter((node) => !this.#passedOver.has(node)))
    this.#unlisted.delete(resource)
    if (this.#unlisted.size === 0) this.#readyNow()
  }

  #set(resource: Resource, key: Key, given: KubeObject | undefined): void {
    const before = this.#entries.get(key)?.object
    const after = given !== undefined && this.#isWanted(resource, given, before) ? given : undefined
    if (sameVersion(before, after)) return
    if (after === undefined) this.#entries.delete(key)
    else this.#entries.set(key, new Entry(resource, key, after))
    if (resource === 'pods' || resource === 'devices') this.#byNode[resource].change(key, before, after)
    this.#changes.tell({ key, before, after })
  }

  /** A pod that is kept stays, also when its Node was deleted: its edge may be there, and will register again. */
  #isWanted(resource: Resource, object: KubeObject, before: KubeObject | undefined): boolean {
    // Tokens and identities are cloudcore's own business: no node ever gets them, whatever its pods refer to.
    if (resource === 'secrets') return object.metadata.labels?.[identityLabel] === undefined
    if (resource !== 'pods') return true
    const name = nodeOf(object)
    if (before !== undefined && nodeOf(before) === name) return true
    const node = name === undefined ? undefined : this.#nodes.get(name)
    if (node !== undefined && isEdgeNode(node)) return true
    if (name !== undefined) this.#passedOver.add(name)
    return false
  }

  #setNode(name: string, after: KubeObject | undefined): void {
    const before = this.#nodes.get(name)
    if (sameVersion(before, after)) return
    if (after === undefined) this.#nodes.delete(name)
    else this.#nodes.set(name, after)
    const joined = after !== undefined && isEdgeNode(after) && (before === undefined || !isEdgeNode(before))
    if (joined) this.#unserved.add(name)
    this.#nodeChanges.tell({ name, before, after })
    if (!joined) return
    if (this.#passedOver.delete(name)) this.#loops.pods.relist()
    else if (!this.#unlisted.has('pods')) this.#servedNow([name])
  }

  #servedNow(nodes: readonly string[]): void {
    for (const node of nodes) if (this.#unserved.delete(node)) this.#served.tell(node)
  }
}

function resourceOf(key: Key): Resource {
  const parts = parseKey(key)
  if (parts === undefined) throw new Error(`not a key: ${key}`)
  return parts.resource
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
