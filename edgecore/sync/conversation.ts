import type { Hash } from '@kedge/shared/changes'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type Frame, protocolVersion, type UpFrame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import type { Holding } from './holding.ts'
import { type Doubt, receive, type SyncFrame } from './receive.ts'

export interface ConversationOptions {
  holding: Holding
  /** Hands a frame to the link; false when the link is down. */
  send: (frame: UpFrame) => boolean
  /** These keys changed and are committed; without keys, what is held was confirmed to be all there is. */
  wake: (keys: readonly Key[]) => void
  /** A new name for a conversation, never used before. */
  newTalk: () => string
  version: string
  clock: Clock
  log: Log
}

/** An unanswered `have` is repeated after this many milliseconds. */
const patience = 10_000
/** Least milliseconds between two `have` on one link: a doubt that comes straight back must not become a storm. */
const calm = 1000
/** Entries of one inventory frame. */
const inventoryPart = 2000

/**
 * The edge's side of the sync conversation: the shell around `receive`.
 *
 * Invariants:
 * - What this edge says it holds is committed when it says so.
 * - After any doubt a new conversation begins, and nothing of the old one has an effect any more.
 */
export class Conversation {
  readonly #options: ConversationOptions
  #talk = ''
  #adopted = false
  #askedAt = 0
  #linkUp = false
  /** Set when the cloud cannot talk with this edge; a new link tries again. */
  halted: string | undefined

  constructor(options: ConversationOptions) {
    this.#options = options
  }

  /** True once the cloud has confirmed, on this link, what this edge holds. */
  get inSync(): boolean {
    return this.#linkUp && this.#adopted
  }

  up(): void {
    this.#linkUp = true
    this.halted = undefined
    this.#ask('connect')
  }

  down(): void {
    this.#linkUp = false
    this.#adopted = false
  }

  /** Call about once a second. */
  tick(): void {
    if (!this.#linkUp || this.#adopted || this.halted !== undefined) return
    if (this.#options.clock.monotonic() - this.#askedAt >= patience) this.#ask('silence')
  }

  /** Bytes arrived that are no frame. */
  malformed(): void {
    if (this.#linkUp) this.#ask('malformed')
  }

  receive(frame: SyncFrame): void {
    const { holding, log } = this.#options
    const { epoch, revision, digest } = holding
    const outcome = receive({ epoch, revision, digest, talk: this.#talk, adopted: this.#adopted }, frame)
    switch (outcome.is) {
      case 'adopt':
        return this.#adopt(outcome)
      case 'apply':
        return this.#apply(outcome.changes)
      case 'tell-all':
        return this.#tellAll()
      case 'repeat-applied':
        return this.#settled(() => this.#applied())
      case 'ignore':
        return log.debug({ frame: frame.is, why: outcome.why }, 'frame ignored')
      case 'doubt':
        return this.#ask(outcome.why)
      case 'halt':
        this.halted = outcome.reason
        return log.error({ reason: outcome.reason }, 'cloud refuses to talk')
    }
  }

  #ask(why: Doubt): void {
    const { holding, send, clock, log, version } = this.#options
    const sinceLast = clock.monotonic() - this.#askedAt
    const talk = this.#newTalk()
    if (why !== 'connect' && sinceLast < calm) {
      // A new talk makes what is on its way old; `tick` asks once the calm has passed.
      this.#askedAt -= patience - calm
      return
    }
    this.#settled(() => {
      const { epoch, revision, digest, inventory } = holding
      const count = inventory.size
      log.info({ why, epoch, revision, objects: count }, 'sync asked')
      send({ is: 'have', protocol: protocolVersion, talk, epoch, revision, digest, count, why, edgecore: version })
    })
  }

  #newTalk(): string {
    this.#talk = this.#options.newTalk()
    this.#adopted = false
    this.#askedAt = this.#options.clock.monotonic()
    return this.#talk
  }

  /** Runs `then` once everything staged is committed, unless the conversation has been given up by then. */
  #settled(then: () => void): void {
    const talk = this.#talk
    this.#whenCommitted(this.#options.holding.settled(), () => {
      if (talk === this.#talk) then()
    })
  }

  #adopt({ epoch, revision }: { epoch: string; revision: number }): void {
    this.#adopted = true
    this.#whenCommitted(this.#options.holding.adopt(epoch, revision), () => {
      this.#options.log.info({ epoch, revision }, 'in sync')
      this.#applied()
      this.#options.wake([])
    })
  }

  #apply(changes: Frame<'changes'>): void {
    const { holding, log, wake } = this.#options
    const committed = holding.apply(changes)
    if (committed === undefined) return this.#ask('digest')
    this.#adopted = true
    const talk = this.#talk
    this.#whenCommitted(committed, (refused) => {
      const { epoch, from, to, digest, put, drop } = changes
      log.info({ epoch, from, to, put: put.length, drop: drop.length }, 'change applied')
      for (const { key, reason } of refused) log.warn({ key, reason }, 'object refused')
      const frame: UpFrame = { is: 'applied', talk, epoch, revision: to, digest }
      this.#options.send(refused.length > 0 ? { ...frame, refused } : frame)
      wake([...put.map(([key]) => key), ...drop])
    })
  }

  #applied(): void {
    const { epoch, revision, digest } = this.#options.holding
    this.#options.send({ is: 'applied', talk: this.#talk, epoch, revision, digest })
  }

  #tellAll(): void {
    this.#adopted = false
    this.#askedAt = this.#options.clock.monotonic()
    this.#settled(() => this.#sendInventory())
  }

  #sendInventory(): void {
    const all: [Key, Hash][] = [...this.#options.holding.inventory]
    const of = Math.max(1, Math.ceil(all.length / inventoryPart))
    for (let part = 0; part < of; part++) {
      const items = all.slice(part * inventoryPart, (part + 1) * inventoryPart)
      this.#options.send({ is: 'inventory', talk: this.#talk, part, of, items })
    }
  }

  #whenCommitted<T>(committed: Promise<T>, then: (value: T) => void): void {
    committed.then(then, (error: unknown) => {
      this.#options.log.error({ reason: explain(error) }, 'change not kept')
      this.#options.holding.reload()
      // Not asked again at once: a full disk would answer with the same failure as fast as the link can carry it.
      this.#newTalk()
    })
  }
}
