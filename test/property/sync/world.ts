import type { Limits } from '@kedge/cloudcore/sync/limits'
import { Session } from '@kedge/cloudcore/sync/session'
import { WantedSet } from '@kedge/cloudcore/sync/wanted'
import { migrate } from '@kedge/edgecore/store/migrations'
import { Objects } from '@kedge/edgecore/store/objects'
import { PieceTable } from '@kedge/edgecore/store/pieces'
import { keyBytes, Seal, type SealedDatabase, withSeal } from '@kedge/edgecore/store/seal'
import { Conversation } from '@kedge/edgecore/sync/conversation'
import { Holding } from '@kedge/edgecore/sync/holding'
import type { SyncFrame } from '@kedge/edgecore/sync/receive'
import { type Digest, digestOf, emptyDigest, type Hash, hashOf } from '@kedge/shared/changes'
import { type DownFrame, decodeDown, decodeUp, encodeFrame, talkName, type UpFrame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import { Database } from '@kedge/shared/sqlite'

/** What may happen to a frame on its way. */
export type Fate = 'deliver' | 'lose' | 'repeat' | 'delay'

export type Op =
  | { is: 'edit'; name: number; value: number; large: boolean }
  | { is: 'delete'; name: number }
  | { is: 'cut' }
  | { is: 'link' }
  /** `old`: what starts then speaks version 1 of the protocol. */
  | { is: 'kill-edge'; old: boolean }
  | { is: 'restart-cloud'; old: boolean }
  | { is: 'commit' }
  | { is: 'commit-fails' }
  | { is: 'carry'; toEdge: boolean; fate: Fate }
  | { is: 'garble'; toEdge: boolean }
  | { is: 'wait'; ms: number }

/** One for all worlds, one after the other: to make a new one takes longer than most schedules. */
const db: SealedDatabase = withSeal(new Database(':memory:'), new Seal(Buffer.alloc(keyBytes, 7)))
migrate(db)
const objects = new Objects(db)
const pieces = new PieceTable(db)

/** A database whose queue of writes the test commits, loses or fails by hand. */
class HandStore {
  readonly db: SealedDatabase = db
  /** The digest of every set that was ever committed. */
  readonly held = new Set<Digest>([emptyDigest])
  #queue: { write: () => unknown; resolve: (value: never) => void; reject: (error: unknown) => void }[] = []

  constructor() {
    db.exec('DELETE FROM objects; DELETE FROM pieces; DELETE FROM meta')
  }

  commit<T>(write: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => this.#queue.push({ write, resolve, reject }))
  }

  flush(): void {
    const jobs = this.#queue
    this.#queue = []
    this.db.transaction(() => {
      for (const { write, resolve } of jobs) {
        resolve(write() as never)
        this.held.add(digestOf(objects.inventory()))
      }
    })()
  }

  fail(): void {
    const jobs = this.#queue
    this.#queue = []
    for (const { reject } of jobs) reject(new Error('disk full'))
  }

  lose(): void {
    this.#queue = []
  }
}

/** Everything is small here, so that thousands of schedules take seconds. */
const limits: Limits = { largePack: 200, pieceBytes: 90, wholeInventory: 4 }

/** Of a large object: it does not get smaller when it is packed. */
const longText = (value: number) =>
  [...new Array(8).keys()].map((part) => hashOf('configmaps/default/long', `${value}/${part}`)).join('')

/** An object that the edge of the world cannot use. */
const unusable = '3'

/** A cloud, an edge and a network between them that does what the test says. Time stands still unless told. */
export class World {
  now = 0
  readonly objects = new Map<Key, KubeObject>()
  readonly store = new HandStore()
  /** Frames in which the edge claimed to hold what never was on its disk. */
  readonly lies: UpFrame[] = []
  /** Frames that an end of version 1 was sent and does not know. */
  readonly tooNew: DownFrame[] = []
  /** Sets that the edge took to be all that it should hold, and that never were. */
  readonly halves: Digest[] = []
  #wanted = new WantedSet(limits)
  /** The digest of every set that the node should have held. */
  readonly #everWanted = new Set<Digest>([emptyDigest])
  #old = { cloud: false, edge: false }
  #session: Session
  #holding: Holding
  #conversation: Conversation
  #epochs = 0
  #talks = 0
  #generation = 0
  #linked = false
  #toEdge: Buffer[] = []
  #toCloud: Buffer[] = []

  constructor() {
    this.#session = this.#newSession()
    ;[this.#holding, this.#conversation] = this.#newEdge()
  }

  get wanted(): ReadonlyMap<Key, Hash> {
    return this.#wanted.inventory
  }

  get heldInMemory(): ReadonlyMap<Key, Hash> {
    return this.#holding.inventory
  }

  get heldOnDisk(): ReadonlyMap<Key, Hash> {
    return objects.inventory()
  }

  get session(): Session {
    return this.#session
  }

  get inSync(): boolean {
    return this.#conversation.inSync && this.#session.state === 'level' && this.#session.isSure
  }

  /** Whether both ends speak version 2. */
  get isModern(): boolean {
    return !this.#old.cloud && !this.#old.edge
  }

  /** Keys of the objects that the edge holds and cannot use. */
  get refusedOnDisk(): Key[] {
    return objects.refused().map(({ key }) => key)
  }

  /** Bytes of pieces that are still kept. */
  get pieces(): number {
    return [...pieces.held().values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  async do(op: Op): Promise<void> {
    const wasComplete = this.#holding.complete
    this.#act(op)
    if (!wasComplete && this.#holding.complete && !this.#everWanted.has(this.#holding.digest)) {
      this.halves.push(this.#holding.digest)
    }
    // Promises that a commit settled run their continuations.
    for (let turn = 0; turn < 4; turn++) await Promise.resolve()
  }

  /** A network that works, a disk that works, and time that passes, until nothing moves. */
  async heal(): Promise<void> {
    await this.do({ is: 'link' })
    for (let round = 0; round < 60; round++) {
      for (let step = 0; step < 400 && (this.#toEdge.length > 0 || this.#toCloud.length > 0); step++) {
        await this.do({ is: 'carry', toEdge: true, fate: 'deliver' })
        await this.do({ is: 'carry', toEdge: false, fate: 'deliver' })
        await this.do({ is: 'commit' })
      }
      await this.do({ is: 'commit' })
      if (this.inSync && this.#toEdge.length === 0 && this.#toCloud.length === 0) return
      await this.do({ is: 'wait', ms: 30_000 })
    }
  }

  #act(op: Op): void {
    switch (op.is) {
      case 'edit':
        return this.#edit(op)
      case 'delete':
        return this.#delete(op.name)
      case 'cut':
        return this.#cut()
      case 'link':
        return this.#link()
      case 'kill-edge':
        return this.#killEdge(op.old)
      case 'restart-cloud':
        return this.#restartCloud(op.old)
      case 'commit':
        return this.store.flush()
      case 'commit-fails':
        return this.store.fail()
      case 'carry':
        return this.#carry(op.toEdge, op.fate)
      case 'garble':
        return this.#garble(op.toEdge)
      case 'wait':
        return this.#wait(op.ms)
    }
  }

  #edit({ name, value, large }: Extract<Op, { is: 'edit' }>): void {
    const key = keyOf('configmaps', 'default', `c${name}`)
    const data = { value: String(value), ...(large ? { text: longText(value) } : {}) }
    const object: KubeObject = { metadata: { name: `c${name}`, namespace: 'default' }, data }
    this.objects.set(key, object)
    this.#moved(key)
  }

  #delete(name: number): void {
    const key = keyOf('configmaps', 'default', `c${name}`)
    this.objects.delete(key)
    this.#moved(key)
  }

  #moved(key: Key): void {
    if (!this.#want(key)) return
    this.#everWanted.add(this.#wanted.digest)
    this.#tell({ is: 'moved', keys: [key] })
  }

  #want(key: Key): boolean {
    const object = this.objects.get(key)
    return this.#wanted.set(key, object && { object, hash: hashOf(key, contentText('configmaps', object)) })
  }

  #tell(event: Parameters<Session['on']>[0]): void {
    for (const frame of this.#session.on(event, this.now)) {
      if (!this.isModern && isNew(frame)) this.tooNew.push(frame)
      if (this.#linked) this.#toEdge.push(encodeFrame(frame))
    }
  }

  #cut(): void {
    if (!this.#linked) return
    this.#linked = false
    this.#toEdge = []
    this.#toCloud = []
    this.#conversation.down()
    this.#tell({ is: 'down' })
  }

  #link(): void {
    if (this.#linked) return
    this.#linked = true
    this.#tell({ is: 'up' })
    this.#conversation.up()
  }

  #killEdge(old: boolean): void {
    this.store.lose()
    this.#cut()
    this.#old.edge = old
    ;[this.#holding, this.#conversation] = this.#newEdge()
  }

  #restartCloud(old: boolean): void {
    this.#cut()
    this.#old.cloud = old
    this.#wanted = new WantedSet(limits)
    for (const key of this.objects.keys()) this.#want(key)
    this.#session = this.#newSession()
  }

  #carry(toEdge: boolean, fate: Fate): void {
    const queue = toEdge ? this.#toEdge : this.#toCloud
    const bytes = queue.shift()
    if (bytes === undefined || fate === 'lose') return
    if (fate === 'delay') {
      queue.push(bytes)
      return
    }
    if (fate === 'repeat') queue.push(bytes)
    if (toEdge) this.#atEdge(bytes)
    else this.#atCloud(bytes)
  }

  #garble(toEdge: boolean): void {
    const bytes = (toEdge ? this.#toEdge : this.#toCloud).shift()
    if (bytes === undefined) return
    const garbled = Buffer.from(bytes.subarray(0, Math.ceil(bytes.length / 2)))
    if (toEdge) this.#atEdge(garbled)
    else this.#atCloud(garbled)
  }

  #atEdge(bytes: Buffer): void {
    const decoded = decodeDown(bytes)
    if (decoded.ok) this.#conversation.receive(decoded.frame as SyncFrame)
    else this.#conversation.malformed()
  }

  #atCloud(bytes: Buffer): void {
    const decoded = decodeUp(bytes)
    if (!decoded.ok) this.#tell({ is: 'malformed' })
    else if (decoded.frame.is !== 'reports' && decoded.frame.is !== 'renew') this.#tell(decoded.frame)
  }

  #wait(ms: number): void {
    this.now += ms
    this.#conversation.tick()
    if (this.#session.state !== 'away') this.#tell({ is: 'tick' })
  }

  #newSession(): Session {
    this.#epochs += 1
    return new Session({ epoch: `epoch-${this.#epochs}`, wanted: this.#wanted, limits })
  }

  #newEdge(): [Holding, Conversation] {
    const generation = ++this.#generation
    const holding = new Holding(this.store, objects, (_key, { data }) =>
      (data as { value: string }).value === unusable ? 'no' : undefined,
    )
    const conversation = new Conversation({
      holding,
      send: (frame: UpFrame) => {
        // A killed process says nothing any more.
        if (!this.#linked || generation !== this.#generation) return false
        if ('digest' in frame && frame.digest !== undefined && !this.store.held.has(frame.digest)) this.lies.push(frame)
        this.#toCloud.push(encodeFrame(this.isModern ? frame : asVersion1(frame)))
        return true
      },
      wake: () => undefined,
      newTalk: () => talkName(`run-${generation}`, ++this.#talks),
      version: 'test',
      clock: { now: () => this.now, monotonic: () => this.now },
      log: silentLog,
    })
    return [holding, conversation]
  }
}

/** What an edge of version 1 sends, or a cloud of version 1 understands, of a frame. */
function asVersion1(frame: UpFrame): UpFrame {
  if (frame.is === 'have') {
    const { speaks: _, partial: __, ...rest } = frame
    return rest
  }
  if (frame.is !== 'applied') return frame
  const { all: _, ...rest } = frame
  return rest
}

function isNew(frame: DownFrame): boolean {
  if (frame.is === 'piece' || frame.is === 'confirm') return true
  return (frame.is === 'changes' && frame.take !== undefined) || (frame.is === 'compare' && frame.ask !== undefined)
}
