import { Session } from '@kedge/cloudcore/sync/session'
import type { SessionEvent } from '@kedge/cloudcore/sync/session-table'
import { WantedSet } from '@kedge/cloudcore/sync/wanted'
import { migrate } from '@kedge/edgecore/store/migrations'
import { Objects } from '@kedge/edgecore/store/objects'
import { keyBytes, Seal, withSeal } from '@kedge/edgecore/store/seal'
import { Conversation } from '@kedge/edgecore/sync/conversation'
import { Holding } from '@kedge/edgecore/sync/holding'
import type { SyncFrame } from '@kedge/edgecore/sync/receive'
import { usable } from '@kedge/edgecore/sync/usable'
import { hashOf } from '@kedge/shared/changes'
import { type DownFrame, decodeDown, decodeUp, encodeFrame, talkName, type UpFrame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, parseKey } from '@kedge/shared/objects'
import { Database } from '@kedge/shared/sqlite'

/** The cloud's end of a recorded conversation, as cloudcore has it: frames in, frames out. */
export class CloudEnd {
  readonly #objects = new Map<Key, KubeObject>()
  readonly #send: (bytes: Buffer) => void
  #wanted = new WantedSet()
  #session: Session
  #linked = false
  now = 0

  constructor(send: (bytes: Buffer) => void) {
    this.#send = send
    this.#session = new Session({ epoch: 'none', wanted: this.#wanted })
  }

  get holds() {
    return this.#wanted.inventory
  }

  get session(): Session {
    return this.#session
  }

  restart(epoch: string): void {
    this.#wanted = new WantedSet()
    this.#session = new Session({ epoch, wanted: this.#wanted })
    for (const key of this.#objects.keys()) this.#want(key)
  }

  set(key: Key, object: KubeObject | undefined): void {
    if (object === undefined) this.#objects.delete(key)
    else this.#objects.set(key, object)
    if (this.#want(key)) this.tell({ is: 'moved', keys: [key] })
  }

  link(up: boolean): void {
    this.#linked = up
    this.tell({ is: up ? 'up' : 'down' })
  }

  receive(bytes: Uint8Array): void {
    const decoded = decodeUp(bytes)
    if (!decoded.ok) this.tell({ is: 'malformed' })
    else if (decoded.frame.is !== 'reports' && decoded.frame.is !== 'renew') this.tell(decoded.frame)
  }

  tell(event: SessionEvent): void {
    for (const frame of this.#session.on(event, this.now)) if (this.#linked) this.#send(encodeFrame(frame))
  }

  #want(key: Key): boolean {
    const object = this.#objects.get(key)
    const resource = parseKey(key)?.resource
    return this.#wanted.set(key, object && resource && { object, hash: hashOf(key, contentText(resource, object)) })
  }
}

/** The edge's end of a recorded conversation, with a database in memory that commits at once. */
export class EdgeEnd {
  readonly #send: (bytes: Buffer) => void
  readonly #db = withSeal(new Database(':memory:'), new Seal(Buffer.alloc(keyBytes, 7)))
  readonly #store = {
    db: this.#db,
    commit: <T>(write: () => T) => Promise.resolve(this.#db.transaction(write)()),
  }
  #run = 0
  #holding: Holding
  #conversation: Conversation
  now = 0

  constructor(send: (bytes: Buffer) => void) {
    this.#send = send
    migrate(this.#db)
    ;[this.#holding, this.#conversation] = this.#start('none')
  }

  get holds() {
    return this.#holding.inventory
  }

  restart(run: string): void {
    ;[this.#holding, this.#conversation] = this.#start(run)
  }

  link(up: boolean): void {
    if (up) this.#conversation.up()
    else this.#conversation.down()
  }

  tick(): void {
    this.#conversation.tick()
  }

  receive(bytes: Uint8Array): void {
    const decoded = decodeDown(bytes)
    if (decoded.ok) this.#conversation.receive(decoded.frame as SyncFrame)
    else this.#conversation.malformed()
  }

  #start(name: string): [Holding, Conversation] {
    const run = ++this.#run
    let talks = 0
    const holding = new Holding(this.#store, new Objects(this.#db), usable)
    const conversation = new Conversation({
      holding,
      send: (frame) => {
        if (run === this.#run) this.#send(encodeFrame(frame))
        return run === this.#run
      },
      wake: () => undefined,
      newTalk: () => talkName(name, ++talks),
      version: '0.1.0',
      clock: { now: () => this.now, monotonic: () => this.now },
      log: silentLog,
    })
    return [holding, conversation]
  }
}

/** Lets what a commit has settled run to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve()
}

/** A frame that came from a recording or an end, read by the code of today. */
export function up(bytes: Uint8Array): UpFrame {
  const decoded = decodeUp(bytes)
  if (!decoded.ok) throw new Error(decoded.reason)
  return decoded.frame
}

export function down(bytes: Uint8Array): DownFrame {
  const decoded = decodeDown(bytes)
  if (!decoded.ok) throw new Error(decoded.reason)
  return decoded.frame
}
