import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { hasCode } from '../kube/errors.ts'
import { Listeners } from '../kube/listeners.ts'
import { collectionIn } from '../kube/paths.ts'
import { WatchLoop } from '../kube/watch-loop.ts'
import { createAtHome, home, secretPath } from './home.ts'
import {
  identityLabel,
  identityName,
  identitySecret,
  type NodeIdentity,
  type Read,
  readIdentity,
  readToken,
  type TokenRecord,
  tokenName,
  tokenSecret,
} from './records.ts'
import { type Change, type Changed, type Turn, Turns } from './turns.ts'

export interface RegistryOptions {
  kube: Kube
  clock: Clock
  log: Log
}

interface Kind<T> {
  read: (secret: KubeObject) => Read<T>
  write: (record: T, namespace: string) => KubeObject
}

const tokens: Kind<TokenRecord> = { read: readToken, write: tokenSecret }
const identities: Kind<NodeIdentity> = { read: readIdentity, write: identitySecret }

/** Times that somebody else may be faster before a change is given up. */
const tries = 8

/**
 * Tokens and identities, which are Secrets in the namespace of cloudcore, kept in memory by a watch.
 *
 * Invariants:
 * - A change is decided on the very copy that it is written over: Kubernetes refuses it where another was faster. Those of
 *   one Secret go one after the other.
 * - What was written is what is read from then on, also before the watch tells of it.
 * - A record that cannot be read counts as locked, never as absent: an edit that went wrong lets nobody in.
 */
export class Registry implements Service {
  /** Resolves once everything has been listed. */
  readonly ready: Promise<void>
  readonly #options: RegistryOptions
  readonly #secrets = new Map<string, KubeObject>()
  readonly #listeners: Listeners<string>
  readonly #loop: WatchLoop
  readonly #reads = new WeakMap<KubeObject, unknown>()
  readonly #tokens = new Turns<TokenRecord>((name, turns) => this.#change(tokens, name, turns))
  readonly #identities = new Turns<NodeIdentity>((name, turns) => this.#change(identities, name, turns))

  constructor(options: RegistryOptions) {
    this.#options = options
    const { kube, log, clock } = options
    this.#listeners = new Listeners((error) => log.error({ reason: explain(error) }, 'identity listener failed'))
    let readyNow: () => void = () => {}
    this.ready = new Promise((resolve) => {
      readyNow = resolve
    })
    this.#loop = new WatchLoop({
      ...{
        kube,
        log,
        clock,
        path: collectionIn('secrets', home),
        selector: { labelSelector: `${identityLabel} in (token,node)` },
      },
      sink: {
        trim: (secret) => secret,
        put: (secret) => this.#set(secret.metadata.name, secret),
        remove: ({ metadata }) => this.#set(metadata.name, undefined),
        replace: (secrets) => {
          const names = new Set(secrets.map(({ metadata }) => metadata.name))
          for (const name of [...this.#secrets.keys()]) if (!names.has(name)) this.#set(name, undefined)
          // The whole of it counts, also where it is older: the store may have been put back to an earlier state.
          for (const secret of secrets) this.#keep(secret.metadata.name, secret)
          readyNow()
        },
      },
    })
  }

  start(): void {
    this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** What is known of a node; undefined for one that has never joined. */
  node(node: string): NodeIdentity | undefined {
    const secret = this.#secrets.get(identityName(node))
    if (secret === undefined) return undefined
    const read = this.#read(identities, secret)
    return read.ok ? read.value : unreadable(node, read.reason)
  }

  nodes(): NodeIdentity[] {
    return [...this.#secrets.keys()].flatMap((name) => {
      const node = name.startsWith(identityName('')) ? this.node(name.slice(identityName('').length)) : undefined
      return node ?? []
    })
  }

  /** Calls back with each node whose record has changed, or is gone; returns what ends that. */
  onNode(listener: (node: string) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Reads a token or the identity of a node from Kubernetes: for those who ask once and do not start the watch. */
  async load(kind: 'token' | 'node', id: string): Promise<void> {
    await this.#reread(kind === 'token' ? tokenName(id) : identityName(id))
  }

  changeToken<R>(id: string, change: Change<TokenRecord, R>): Promise<Changed<TokenRecord, R>> {
    return this.#tokens.change(tokenName(id), change)
  }

  changeNode<R>(node: string, change: Change<NodeIdentity, R>): Promise<Changed<NodeIdentity, R>> {
    return this.#identities.change(identityName(node), change)
  }

  async #change<T>(kind: Kind<T>, name: string, turns: readonly Turn<T>[]): Promise<void> {
    for (let attempt = 0; attempt < tries; attempt++) {
      const secret = this.#secrets.get(name)
      const read = secret && this.#read(kind, secret)
      if (read?.ok === false) throw new Error(read.reason)
      let next: T | undefined
      for (const turn of turns) next = turn.decide(next ?? read?.value) ?? next
      if (next === undefined || (await this.#write(name, secret, kind.write(next, home)))) {
        for (const turn of turns) turn.done()
        return
      }
    }
    throw new Error(`Secret ${name}: others wrote it ${tries} times meanwhile`)
  }

  /** Each copy is read once: a token that a thousand have used is long. */
  #read<T>(kind: Kind<T>, secret: KubeObject): Read<T> {
    const known = this.#reads.get(secret) as Read<T> | undefined
    const read = known ?? kind.read(secret)
    this.#reads.set(secret, read)
    return read
  }

  /** False when the copy was not the newest; then the newest is known. */
  async #write(name: string, held: KubeObject | undefined, wanted: KubeObject): Promise<boolean> {
    const { kube } = this.#options
    try {
      const written = held
        ? await kube.update(secretPath(name), over(held, wanted))
        : await createAtHome(kube, 'secrets', wanted)
      this.#set(name, written)
      return true
    } catch (error) {
      if (!hasCode(error, 409) && !(hasCode(error, 404) && held)) throw error
      await this.#reread(name)
      return false
    }
  }

  async #reread(name: string): Promise<void> {
    try {
      this.#set(name, await this.#options.kube.get(secretPath(name)))
    } catch (error) {
      if (!hasCode(error, 404)) throw error
      this.#set(name, undefined)
    }
  }

  #set(name: string, secret: KubeObject | undefined): void {
    const held = this.#secrets.get(name)
    if (secret !== undefined && held !== undefined && isOlder(secret, held)) return
    this.#keep(name, secret)
  }

  #keep(name: string, secret: KubeObject | undefined): void {
    const held = this.#secrets.get(name)
    if (secret === undefined) this.#secrets.delete(name)
    else this.#secrets.set(name, secret)
    const same = held?.metadata.resourceVersion === secret?.metadata.resourceVersion
    if (!same && name.startsWith(identityName(''))) this.#listeners.tell(name.slice(identityName('').length))
  }
}

/** The Secret as it is wanted, with the labels and annotations of others on it. */
function over(held: KubeObject, wanted: KubeObject): KubeObject {
  const own = Object.entries(held.metadata.annotations ?? {}).filter(([name]) => !name.startsWith('kedge.io/'))
  return {
    ...wanted,
    metadata: {
      ...held.metadata,
      labels: { ...held.metadata.labels, ...wanted.metadata.labels },
      annotations: { ...Object.fromEntries(own), ...wanted.metadata.annotations },
    },
  }
}

/** Of two copies of one object: the watch may be behind what a write was answered with. */
function isOlder(a: KubeObject, b: KubeObject): boolean {
  const [one, other] = [a.metadata.resourceVersion ?? '', b.metadata.resourceVersion ?? '']
  if (a.metadata.uid !== b.metadata.uid || !/^\d+$/.test(one) || !/^\d+$/.test(other)) return false
  return BigInt(one) < BigInt(other)
}

function unreadable(node: string, locked: string): NodeIdentity {
  return { node, issued: [], secrets: [], only: true, locked }
}
