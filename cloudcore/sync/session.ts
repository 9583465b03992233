import { type Digest, emptyDigest, type Inventory } from '@kedge/shared/changes'
import { type DownFrame, type Frame, isOlderTalk, oldestProtocol, protocolVersion } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'
import { bucketsFor, type Compared, Comparison } from './comparison.ts'
import { HeldSet } from './held-set.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { Patience } from './patience.ts'
import { Refusals } from './refusals.ts'
import { Sending, type Wanted } from './sending.ts'
import { type SessionEvent, type SessionState, type SessionStep, sessionTable } from './session-table.ts'
import { Since } from './since.ts'

/** Something about an object at the edge that was not so before: `ms` from the change until it was held. */
export type News =
  | { is: 'held'; key: Key; ms: number }
  | { is: 'refused' | 'usable'; key: Key }
  /** All that the edge refuses is known: what was said of any of its objects before may be wrong. */
  | { is: 'sure' }

/** Milliseconds without an answer to a question after which it is asked again. */
const questionPatience = 20_000
/** Milliseconds without a word about what is on its way after which the edge is asked whether it arrived. */
const flightPatience = 60_000

type Handler = (event: never, now: number) => DownFrame[]

/** The newest version of the protocol that both ends speak; undefined when there is none. */
export function commonProtocol({ protocol, speaks = protocol }: Frame<'have'>): number | undefined {
  const common = Math.min(speaks, protocolVersion)
  return common >= Math.max(protocol, oldestProtocol) ? common : undefined
}

/**
 * The cloud's side of the sync conversation with one node. No I/O, no clock, no randomness: an event goes in, frames to
 * send come out.
 *
 * Invariants:
 * - `held` is what the edge has confirmed, at `heldAt`; it is known in the states level and changing.
 * - Nothing is sent again on a link that may just be slow: the edge is asked first, behind what is on its way.
 * - `level` is left when something is to be sent, and reached when all of it is confirmed.
 */
export class Session {
  state: SessionState = 'away'
  readonly epoch: string
  readonly #wanted: Wanted
  readonly #limits: Limits
  readonly #sending: Sending
  readonly #refusals = new Refusals()
  readonly #since = new Since()
  readonly #patience = { question: new Patience(questionPatience), flight: new Patience(flightPatience) }
  #have: Frame<'have'> | undefined
  #protocol = oldestProtocol
  #held: HeldSet | undefined
  #heldAt = 0
  #comparison: Comparison | undefined
  #asks = 0
  /** The edge was asked whether what is on its way has arrived. */
  #probed = false
  #news: News[] = []

  constructor({ epoch, wanted, limits = defaultLimits }: { epoch: string; wanted: Wanted; limits?: Limits }) {
    this.epoch = epoch
    this.#wanted = wanted
    this.#limits = limits
    this.#sending = new Sending({ epoch, wanted, limits })
  }

  /** Takes an event; returns the frames to send, in order. `now` is monotonic milliseconds. */
  on(event: SessionEvent, now: number): DownFrame[] {
    const handle = this.#steps[sessionTable[this.state][event.is]] as (event: SessionEvent, now: number) => DownFrame[]
    return handle.call(this, event, now)
  }

  /** The revision that the edge has confirmed, and what it holds there. */
  get confirmed(): { revision: number; holds: Inventory } | undefined {
    return this.#held && { revision: this.#heldAt, holds: this.#held.map }
  }

  /** Objects that the edge holds but cannot use, with its reason. */
  get refused(): ReadonlyMap<Key, string> {
    return this.#refusals.all
  }

  /** Whether all that the edge refuses is known: false while a confirmation may have been lost. */
  get isSure(): boolean {
    return !this.#refusals.isUnsure
  }

  /** Since when, monotonic ms, an object is where it is: held, or on its way. */
  since(key: Key): number {
    return this.#since.of(key)
  }

  /** What has become known since this was last asked. */
  takeNews(): News[] {
    const news = this.#news
    if (news.length > 0) this.#news = []
    return news
  }

  readonly #steps: Record<SessionStep, Handler> = {
    '–': this.#nothing,
    greet: this.#up,
    leave: this.#down,
    answer: this.#answer,
    'answer new': this.#answerNew,
    note: this.#note,
    send: this.#moved,
    compare: this.#compare,
    narrow: this.#buckets,
    know: this.#inventory,
    land: this.#applied,
    keep: this.#kept,
    'ask again': this.#askAgain,
    confirm: this.#confirm,
  }

  #nothing(): DownFrame[] {
    return []
  }

  /** Talks are compared within one link: a number that was wrong there hides nothing on the next. */
  #up(): DownFrame[] {
    this.state = 'silent'
    this.#have = undefined
    return []
  }

  #down(): DownFrame[] {
    this.state = 'away'
    return []
  }

  #note({ keys }: { keys: Iterable<Key> }, now: number): DownFrame[] {
    for (const key of keys) this.#since.moved(key, now)
    return []
  }

  #moved({ keys }: { keys: Iterable<Key> }, now: number): DownFrame[] {
    const moved = [...keys]
    this.#note({ keys: moved }, now)
    this.#sending.note(moved)
    return this.#send(this.#sending.fill(now), now)
  }

  /** The carrier may deliver a frame twice; an edge that asks again begins another talk. */
  #answerNew(frame: Frame<'have'>, now: number): DownFrame[] {
    return frame.talk === this.#have?.talk ? [] : this.#answer(frame, now)
  }

  #answer(frame: Frame<'have'>, now: number): DownFrame[] {
    const protocol = commonProtocol(frame)
    if (protocol === undefined || isOlderTalk(frame.talk, this.#have?.talk ?? '')) return []
    this.#have = frame
    this.#protocol = protocol
    this.#comparison = undefined
    this.#probed = false
    const known = this.#knownAt(frame, now)
    this.#sending.stop()
    if (known !== undefined) return this.#levelFrom(known, frame.revision, now)
    const guess = this.#guess(frame.digest)
    if (guess !== undefined) return this.#levelFrom(guess, this.#sending.newRevision(), now)
    return this.#compare(undefined, now)
  }

  /** What the edge holds if it stands at a revision of ours, the digest bearing it out. */
  #knownAt({ epoch, revision, digest }: Frame<'have'>, now: number): HeldSet | undefined {
    if (epoch !== this.epoch || this.#held === undefined) return undefined
    if (revision !== this.#heldAt && !this.#sending.isOnWay(revision)) return undefined
    this.#land(revision, now)
    return this.#held.digest === digest ? this.#held : undefined
  }

  /** What the edge holds if its digest says it all. */
  #guess(digest: Digest): HeldSet | undefined {
    if (digest === emptyDigest) return new HeldSet(new Map(), emptyDigest)
    return digest === this.#wanted.digest ? new HeldSet(this.#wanted.inventory, digest) : undefined
  }

  #compare(_event: unknown, now: number): DownFrame[] {
    this.state = 'comparing'
    this.#sending.stop()
    const { talk, count: told } = this.#have ?? { talk: '', count: 0 }
    const count = this.#held?.map.size ?? told
    this.#held = undefined
    this.#patience.question.begin(now)
    const modern = this.#protocol >= 2
    this.#comparison = new Comparison({
      talk,
      ask: modern ? ++this.#asks : undefined,
      buckets: modern ? bucketsFor(count, this.#limits.wholeInventory) : undefined,
      wanted: new Map(this.#wanted.inventory),
    })
    return [this.#comparison.question]
  }

  #askAgain(_event: unknown, now: number): DownFrame[] {
    if (this.#comparison === undefined || !this.#patience.question.isOver(now)) return []
    return [this.#comparison.question]
  }

  #buckets(frame: Frame<'buckets'>, now: number): DownFrame[] {
    if (this.#comparison === undefined || frame.talk !== this.#have?.talk) return []
    return this.#compared(this.#comparison.buckets(frame), now)
  }

  #inventory(frame: Frame<'inventory'>, now: number): DownFrame[] {
    if (this.#comparison === undefined || frame.talk !== this.#have?.talk) return []
    return this.#compared(this.#comparison.inventory(frame), now)
  }

  #compared(outcome: Compared, now: number): DownFrame[] {
    this.#patience.question.begin(now)
    this.#asks = Math.max(this.#asks, this.#comparison?.asked ?? 0)
    if (outcome.is === 'known') return this.#levelFrom(outcome.held, this.#sending.newRevision(), now)
    return outcome.is === 'ask' ? [outcome.frame] : []
  }

  /** The edge holds `held`, which from now on is called `at`: say so, or send what is missing. */
  #levelFrom(held: HeldSet, at: number, now: number): DownFrame[] {
    const { talk, partial } = this.#have ?? { talk: '' }
    this.#held = held
    this.#heldAt = at
    this.#comparison = undefined
    this.#refusals.begin(held.map, this.#protocol >= 2)
    this.#since.begin(now, (key) => held.map.has(key) || this.#wanted.inventory.has(key))
    this.#patience.question.begin(now)
    this.#sending.begin({ talk, protocol: this.#protocol, held, at, partial })
    if (!this.#sending.isIdle) return this.#send(this.#sending.open(now), now)
    this.state = 'level'
    return [{ is: 'same', talk, epoch: this.epoch, revision: at, digest: held.digest }]
  }

  #applied(frame: Frame<'applied'>, now: number): DownFrame[] {
    if (frame.talk !== this.#have?.talk || frame.epoch !== this.epoch || this.#held === undefined) return []
    // All that it can say, and yet of another revision than it was told: the two do not mean the same.
    if (frame.revision < this.#heldAt) return frame.all && !this.isSure ? this.#compare(undefined, now) : []
    this.#patience.flight.begin(now)
    const landed = this.#land(frame.revision, now)
    if (frame.revision !== this.#heldAt || frame.digest !== this.#held.digest) return this.#compare(undefined, now)
    const wasSure = this.isSure
    this.#news.push(...this.#refusals.heard(frame, landed))
    if (this.isSure && !wasSure) this.#news.push({ is: 'sure' })
    // What is still on its way stood before the question that this answers: it is lost.
    const lost = this.#probed && frame.all === true
    if (lost) this.#probed = false
    return this.#send(lost ? this.#sending.again(now) : this.#sending.fill(now), now)
  }

  #kept(frame: Frame<'kept'>, now: number): DownFrame[] {
    if (frame.talk !== this.#have?.talk) return []
    this.#patience.flight.begin(now)
    this.#sending.kept(frame, now)
    return this.#send(this.#sending.fill(now), now)
  }

  /** Every flight up to `revision` has arrived; returns how many. */
  #land(revision: number, now: number): number {
    const flights = this.#sending.land(revision, now)
    for (const { frame, put } of flights) {
      for (const [key, hash] of put) this.#hold(key, hash, now)
      for (const key of frame.drop) this.#hold(key, undefined, now)
      this.#heldAt = frame.to
    }
    return flights.length
  }

  #hold(key: Key, hash: string | undefined, now: number): void {
    this.#held?.move(key, hash)
    if (this.#refusals.drop(key)) this.#news.push({ is: 'usable', key })
    if (hash === undefined) this.#since.drop(key)
    else if (hash === this.#wanted.inventory.get(key))
      this.#news.push({ is: 'held', key, ms: this.#since.held(key, now) })
  }

  /** Frames go out; the waiting for their confirmation begins anew. */
  #send(frames: DownFrame[], now: number): DownFrame[] {
    this.state = this.#sending.isIdle ? 'level' : 'changing'
    if (frames.length > 0) this.#patience.flight.begin(now)
    return frames
  }

  /** Asks an edge that has long been silent about what is on its way, or whose confirmation was lost. */
  #confirm(_event: unknown, now: number): DownFrame[] {
    const talk = this.#have?.talk ?? ''
    if (this.state === 'changing' && this.#patience.flight.isOver(now)) {
      if (this.#protocol < 2) return this.#sending.again(now)
      this.#probed = true
      return [{ is: 'confirm', talk }]
    }
    if (this.#protocol < 2 || !this.#refusals.isUnsure || !this.#patience.question.isOver(now)) return []
    return [{ is: 'confirm', talk }]
  }
}
