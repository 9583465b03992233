import type { Key, KubeObject } from '@kedge/shared/objects'
import {
  type Announcement,
  discoveredAnnotation,
  type Manifest,
  manifestsOf,
  proposalsOf,
} from '@kedge/shared/proposals'
import type { Service } from '@kedge/shared/service'
import { stringify } from 'yaml'
import { type Answer, accepted, refused } from './answer.ts'
import { hasCode, isRefusal } from './errors.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { collectionIn, configMapPath } from './paths.ts'
import { type WriterParts, workerOptions } from './writer-parts.ts'

export interface DiscoveredParts extends WriterParts {
  catalog: { keys(): Iterable<Key>; get(key: Key): { object: KubeObject } | undefined }
  discovered: DiscoveredSettings
}

export interface DiscoveredSettings {
  /** `propose` writes manifests into a ConfigMap, `accept` makes the devices, `ignore` does nothing. */
  is: 'propose' | 'accept' | 'ignore'
  /** Where devices are proposed or made. */
  namespace: string
}

/** Where the ConfigMaps with proposals are. */
const home = 'kedge'
/** Devices that one node may have made by announcing them, with `accept`. */
const mostAccepted = 2000
/** The key in them. */
export const manifestsKey = 'devices.yaml'

/**
 * What edge nodes say is announced on their local brokers, as manifests: in a ConfigMap for each node, for
 * `kubectl apply`, or as objects at once. The manifests are made here of what is announced, so that a node can propose
 * nothing but devices of its own.
 */
export class DiscoveredWriter implements Service {
  readonly #parts: DiscoveredParts
  readonly #newest = new Map<string, readonly Announcement[]>()
  readonly #worker: KeyedWorker<Answer>

  constructor(parts: DiscoveredParts) {
    this.#parts = parts
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: 1000, pass: (node) => this.#pass(node) })
  }

  accept(node: string, announcements: readonly Announcement[]): Promise<Answer> {
    if (this.#parts.discovered.is === 'ignore') return Promise.resolve(accepted)
    this.#newest.set(node, announcements)
    return this.#worker.run(node)
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  async #pass(node: string): Promise<Pass<Answer>> {
    const announcements = this.#newest.get(node)
    if (announcements === undefined) return { wrote: false, result: accepted }
    const { counters } = this.#parts
    const { is, namespace } = this.#parts.discovered
    const there = this.#there(node)
    const proposals = proposalsOf(announcements, { nodeName: node, namespace, ...there })
    if (is === 'accept' && there.known.size + proposals.length > mostAccepted) {
      counters.add('refused')
      return { wrote: false, result: refused(`${node} has announced more than ${mostAccepted} devices`) }
    }
    const manifests = manifestsOf(proposals)
    try {
      if (is === 'accept') await this.#make(node, manifests)
      else await this.#propose(node, manifests)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return { wrote: false, result: refused(error.message) }
    }
    if (this.#newest.get(node) === announcements) this.#newest.delete(node)
    return { wrote: true, result: accepted }
  }

  /** Names that are taken, and what this node's devices were announced as. */
  #there(node: string): { taken: Set<string>; known: Set<string> } {
    const taken = new Set<string>()
    const known = new Set<string>()
    const { catalog } = this.#parts
    for (const key of catalog.keys()) {
      const object = key.startsWith('devices/') ? catalog.get(key)?.object : undefined
      if (object === undefined) continue
      const { metadata, spec } = object
      if (metadata.namespace === this.#parts.discovered.namespace) taken.add(metadata.name)
      const id = metadata.annotations?.[discoveredAnnotation]
      if (id !== undefined && spec?.nodeName === node) known.add(id)
    }
    return { taken, known }
  }

  async #make(node: string, manifests: readonly Manifest[]): Promise<void> {
    const { kube, counters, log, discovered } = this.#parts
    for (const manifest of manifests) {
      const resource = manifest.kind === 'Device' ? 'devices' : 'devicemodels'
      try {
        await kube.create(collectionIn(resource, discovered.namespace), manifest as unknown as KubeObject)
        counters.add('writes')
        log.info({ node, kind: manifest.kind, name: manifest.metadata.name }, 'announced device accepted')
      } catch (error) {
        // 409: a model that other devices have too, or one that was made before the catalog knew it.
        if (!hasCode(error, 409)) throw error
      }
    }
  }

  async #propose(node: string, manifests: readonly Manifest[]): Promise<void> {
    const { kube, counters, log } = this.#parts
    const path = configMapPath(home, `discovered-${node}`)
    if (manifests.length === 0) {
      await kube.delete(path).catch((error: unknown) => {
        if (!hasCode(error, 404)) throw error
      })
      return
    }
    const data = { [manifestsKey]: manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n') }
    try {
      await kube.patch(path, { data })
    } catch (error) {
      if (!hasCode(error, 404)) throw error
      await this.#create(node, data)
    }
    counters.add('writes')
    log.info({ node, manifests: manifests.length }, 'announced devices proposed')
  }

  async #create(node: string, data: Record<string, string>): Promise<void> {
    const { kube } = this.#parts
    const metadata = { name: `discovered-${node}`, namespace: home, labels: { 'app.kubernetes.io/part-of': 'kedge' } }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
    const create = () => kube.create(collectionIn('configmaps', home), object)
    await create().catch(async (error: unknown) => {
      if (!hasCode(error, 404)) throw error
      // A cluster that was set up with kubectl apply -k has the namespace.
      await kube.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: home } })
      await create()
    })
  }
}
