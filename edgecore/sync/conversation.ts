import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type Frame, oldestProtocol, protocolVersion, type UpFrame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import type { Holding } from './holding.ts'
import { type Doubt, receive, type SyncFrame } from './receive.ts'
import { answerTo } from './telling.ts'

export interface ConversationOptions {
  holding: Holding
  /** Hands a frame to the link; false when the link is down. */
  send: (frame: UpFrame) => boolean
  /** These keys changed and are committed; without keys, what is held was confirmed to be all there is. */
  wake: (keys: readonly Key[]) => void
  /** A new name for a conversation, never used before. */
  newTalk: () => string
  version: string
  /** Names whom this node trusts; undefined for one without an identity. */
  trust?: () => string | undefined
  clock: Clock
  log: Log
}

/** An unanswered `have` is repeated after this many milliseconds, then twice as many, for the answer may be slow. */
const patience = 10_000
/** How often that doubles. */
const doublings = 4
/** Least milliseconds between two `have` on one link: a doubt that comes straight back must not become a storm. */
const calm = 1000
/** Refused objects that are told at once, and characters of each reason. */
const mostRefused = 1000
const longestReason = 512

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
  /** `have` frames in a row without an answer. */
  #unanswered = 0
  /** Whether the cloud has been told, in this conversation, all that is refused. */
  #toldRefused = false
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
    this.#unanswered = 0
    this.#ask('connect')
  }

  down(): void {
    this.#linkUp = false
    this.#adopted = false
  }

  /** Call about once a second. */
  tick(): void {
    if (!this.#linkUp || this.#adopted || this.halted !== undefined) return
    if (this.#options.clock.monotonic() - this.#askedAt >= this.#patience) this.#ask('silence')
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
        return this.#tellAll(outcome.question)
      case 'keep':
        return this.#keep(outcome.piece)
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
      this.#askedAt -= this.#patience - calm
      return
    }
    this.#settled(() => {
      const { epoch, revision, digest, inventory, pieces } = holding
      const count = inventory.size
      log.info({ why, epoch, revision, objects: count }, 'sync asked')
      const versions = { protocol: oldestProtocol, speaks: protocolVersion }
      const { partial } = pieces
      const trust = this.#options.trust?.()
      const held = { epoch, revision, digest, count, ...(partial && { partial }), ...(trust && { trust }) }
      send({ is: 'have', ...versions, talk, ...held, why, edgecore: version })
    })
  }

  #newTalk(): string {
    this.#talk = this.#options.newTalk()
    this.#adopted = false
    this.#toldRefused = false
    this.#askedAt = this.#options.clock.monotonic()
    this.#unanswered += 1
    return this.#talk
  }

  get #patience(): number {
    return patience * 2 ** Math.min(Math.max(this.#unanswered - 1, 0), doublings)
  }

  /** Runs `then` once everything staged is committed, unless the conversation has been given up by then. */
  #settled(then: () => void): void {
    const talk = this.#talk
    this.#whenCommitted(this.#options.holding.settled(), () => {
      if (talk === this.#talk) then()
    })
  }

  #adopt({ epoch, revision }: { epoch: string; revision: number }): void {
    this.#answered()
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
    this.#answered()
    const talk = this.#talk
    this.#whenCommitted(committed, (refused) => {
      const { epoch, from, to, digest, put, drop, take = [] } = changes
      const keys = [...put, ...take].map(([key]) => key)
      if (keys.length + drop.length > 0) {
        log.info({ epoch, from, to, put: keys.length, drop: drop.length }, 'change applied')
      }
      for (const { key, reason } of refused) log.warn({ key, reason }, 'object refused')
      this.#confirm({ is: 'applied', talk, epoch, revision: to, digest }, refused)
      wake([...keys, ...drop])
    })
  }

  #answered(): void {
    this.#adopted = true
    this.#unanswered = 0
  }

  #applied(): void {
    const { epoch, revision, digest, refused } = this.#options.holding
    this.#toldRefused = false
    this.#confirm({ is: 'applied', talk: this.#talk, epoch, revision, digest }, refused)
  }

  /** What the cloud may have missed of refused objects is told with the first confirmation of each conversation. */
  #confirm(frame: Frame<'applied'>, ofChange: { key: Key; reason: string }[]): void {
    const all = !this.#toldRefused && frame.talk === this.#talk
    const told = all ? this.#options.holding.refused : ofChange
    const refused = told
      .slice(0, mostRefused)
      .map(({ key, reason }) => ({ key, reason: reason.slice(0, longestReason) }))
    this.#options.send({ ...frame, ...(refused.length > 0 ? { refused } : {}), ...(all ? { all } : {}) })
    if (all) this.#toldRefused = true
  }

  #tellAll(question: Frame<'compare'>): void {
    this.#adopted = false
    this.#unanswered = 0
    this.#askedAt = this.#options.clock.monotonic()
    const { holding, send } = this.#options
    this.#settled(() => {
      for (const frame of answerTo(question, holding)) send(frame)
    })
  }

  #keep(piece: Frame<'piece'>): void {
    const talk = this.#talk
    this.#whenCommitted(this.#options.holding.pieces.keep(piece), (bytes) => {
      if (talk === this.#talk) this.#options.send({ is: 'kept', talk, pack: piece.pack, bytes })
    })
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
