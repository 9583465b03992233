import { type Backoff, delay } from '@kedge/shared/backoff'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type Frame, maxFrameBytes } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { type Lane, lanes } from '@kedge/shared/reports'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'
import type { Outbox, OutboxRow } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { Batch, bulk, counted, type Item } from './batch.ts'
import { type Flight, Flights } from './flights.ts'
import { LaneQueue } from './lane-queue.ts'
import { Pace } from './pace.ts'

export interface DrainOptions {
  store: Pick<Store, 'commit'>
  outbox: Outbox
  /** Names this outbox and this run of edgecore, so that answers to others are told apart. */
  box: string
  /** Hands a frame, which is all of one lane, to the link; false when the link is down. */
  send: (frame: Frame<'reports'>, lane: Lane) => boolean
  /** Milliseconds from one round of a lane to the next: 0 for at once, Infinity for not now. At once unless given. */
  pause?: (lane: Lane) => number
  /** Whether what a refused report is about is still this node's: if not, the report is dropped. */
  isOurs?: (subject: string) => boolean
  /** Called when reports were refused for good. */
  onRefused?: (reason: string) => void
  clock: Clock
  /** A draw from [0, 1). */
  random?: () => number
  scheduler?: Scheduler
  log: Log
}

/** A larger report fits into no frame, with room for the frame around it. */
const maxReportBytes = maxFrameBytes - 1024
/** Least milliseconds between two frames of fresh reports: what changes faster folds meanwhile. */
const gap = 50
/** Least milliseconds from one report on a subject to the next while the cloud still works on the first. */
const subjectGap = 250
/** How long an answer may take before the report is sent again, growing each time. */
const patience: Backoff = { base: 60_000, cap: 16 * 60_000 }

/** A row whose subject was reported on a moment ago. */
interface Held {
  seq: number
  lane: Lane
  /** Milliseconds. */
  wait: number
}

/**
 * Takes reports from the outbox to the cloud and the cloud's answers back.
 *
 * Invariants:
 * - A row leaves the outbox when all that was said in it was answered, never because it was sent.
 * - On a new link everything unanswered goes again, in the order of lanes.
 * - What is on its way is bounded in rows and bytes, whatever the outbox holds, and what is not urgent takes half of that
 *   at most.
 * - A report that fits into no frame is set aside: sent, it would end the link each time, and all behind it would wait.
 */
export class Drain {
  readonly #options: DrainOptions
  readonly #pace: Pace
  readonly #flights = new Flights()
  readonly #queues: ReadonlyMap<Lane, LaneQueue>
  /** When each lane that is slowed down may be served again, monotonic. */
  readonly #dueAt = new Map<Lane, number>()
  #linkUp = false
  #attempt = 0
  #patience: number

  constructor(options: DrainOptions) {
    this.#options = options
    const { clock, scheduler = systemScheduler } = options
    this.#pace = new Pace({ clock, scheduler, gap, act: () => this.#pump() })
    this.#patience = this.#nextPatience()
    this.#queues = new Map(lanes.map((lane) => [lane, new LaneQueue(options.outbox, lane)]))
    options.outbox.onAdd(({ seq, lane, version }) => {
      const queue = this.#queue(lane)
      if (version === 1) queue.grown()
      else queue.again(seq)
      this.#schedule()
    })
  }

  up(): void {
    this.#linkUp = true
    this.#flights.begin()
    for (const queue of this.#queues.values()) queue.begin()
    this.#dueAt.clear()
    this.#attempt = 0
    this.#patience = this.#nextPatience()
    this.#schedule()
  }

  down(): void {
    this.#linkUp = false
    this.#pace.stop()
  }

  /** Sends again what has been waiting for its answer too long. Call every second or so. */
  tick(): void {
    if (!this.#linkUp) return
    const lost = this.#flights.giveUp(this.#options.clock.monotonic() - this.#patience)
    if (lost.length > 0) {
      this.#attempt += 1
      this.#patience = this.#nextPatience()
      this.#options.log.info({ reports: lost.length, patienceMs: Math.round(this.#patience) }, 'reports sent again')
      for (const { seq, lane } of lost) this.#queue(lane).again(seq)
    }
    this.#schedule()
  }

  /** Takes the cloud's answers; rows go once that is committed. */
  answered(frame: Frame<'answered'>): void {
    const round = this.#roundOf(frame.box)
    if (round === undefined) return
    const { store, outbox, log } = this.#options
    const flightOf = ([seq, version]: [number, number]) => this.#flights.find(round, seq, version) ?? []
    const accepted = frame.accepted.flatMap(flightOf)
    const refused = frame.refused.flatMap(({ ref, reason }) => {
      const flight = flightOf(ref)
      return Array.isArray(flight) ? [] : { flight, reason }
    })
    store
      .commit(() => {
        for (const { seq, version, after } of accepted) outbox.accepted(seq, version, after)
        for (const { flight, reason } of refused) this.#refuse(flight, reason)
      }, 'spaced')
      .then(
        () => {
          for (const flight of [...accepted, ...refused.map(({ flight }) => flight)]) this.#settle(round, flight)
          for (const { reason } of refused.slice(-1)) this.#options.onRefused?.(reason)
          this.#schedule()
        },
        // The rows stay and are sent again later: applying a report twice does no harm.
        (error: unknown) => log.error({ reason: explain(error) }, 'answers not kept'),
      )
  }

  #refuse({ seq, version }: Flight, reason: string): void {
    const { outbox, log, isOurs = () => true } = this.#options
    const subject = outbox.subject(seq)
    if (subject === undefined) return
    const ours = isOurs(subject)
    log.warn({ seq, subject, reason, kept: ours }, 'report refused')
    if (ours) outbox.refused(seq, version, reason)
    else outbox.remove(seq)
  }

  #settle(round: number, flight: Flight): void {
    const upTo = this.#flights.settle(round, flight)
    if (upTo === undefined) return
    const version = this.#options.outbox.version(flight.seq)
    if (version === undefined) return
    if (version <= upTo) this.#flights.nextRound()
    this.#queue(flight.lane).again(flight.seq)
  }

  #setAside({ seq, version, subject }: OutboxRow, bytes: number): void {
    const { store, outbox, log, onRefused } = this.#options
    const reason = `a report of ${bytes} bytes fits into no frame: at most ${maxReportBytes}`
    log.error({ seq, subject, reason }, 'report set aside')
    store
      .commit(() => outbox.refused(seq, version, reason))
      .then(
        () => onRefused?.(reason),
        (error: unknown) => log.error({ reason: explain(error) }, 'report not set aside'),
      )
  }

  #schedule(least?: number): void {
    if (this.#linkUp) this.#pace.soon(least)
  }

  #pump(): void {
    if (!this.#linkUp) return
    let more = true
    while (more) {
      const { items, held } = this.#next()
      more = items.length > 0 && !items.some(({ flight }) => bulk.has(flight.lane))
      if (!this.#send(items)) return
      for (const { seq, lane } of held) this.#queue(lane).again(seq)
      // What is not urgent comes with the next frame, and what must wait a moment when that is over.
      if (items.length > 0 && !more) this.#schedule()
      if (held.length > 0) this.#schedule(Math.min(...held.map(({ wait }) => wait)))
    }
  }

  #send(items: readonly Item[]): boolean {
    const { send, box } = this.#options
    const [first] = items
    if (first === undefined) return true
    const frame: Frame<'reports'> = {
      is: 'reports',
      box: `${box}.${this.#flights.round}`,
      items: items.map(({ row: { seq, version, report } }) => ({ seq, version, report })),
    }
    if (!send(frame, first.flight.lane)) return false
    for (const { flight } of items) this.#flights.add(flight)
    this.#pace.done()
    return true
  }

  /** The rows of the next frame, from the most important lane that has any, and those that must wait a moment. */
  #next(): { items: Item[]; held: Held[] } {
    const batch = new Batch(this.#flights)
    const held: Held[] = []
    const now = this.#options.clock.monotonic()
    for (const [lane, queue] of this.#queues) {
      if ((this.#dueAt.get(lane) ?? 0) > now) continue
      const pause = this.#options.pause?.(lane) ?? 0
      if (pause === Number.POSITIVE_INFINITY) continue
      let seq: number | undefined
      while (batch.takes(lane)) {
        seq = queue.next()
        if (seq === undefined) break
        const open = this.#flights.of(seq)
        const wait = open === undefined ? 0 : open.sentAt + subjectGap - now
        if (wait > 0) held.push({ seq, lane, wait })
        else this.#take(batch, { seq, lane, after: open?.upTo ?? 0, now })
      }
      if (batch.items.length === 0) continue
      if (seq === undefined && pause > 0) this.#dueAt.set(lane, now + pause)
      break
    }
    return { items: batch.items, held }
  }

  #take(batch: Batch, { seq, lane, after, now }: { seq: number; lane: Lane; after: number; now: number }): void {
    const row = this.#options.outbox.get(seq, after)
    if (row === undefined) return
    const bytes = Buffer.byteLength(JSON.stringify(row.report))
    if (bytes > maxReportBytes) return this.#setAside(row, bytes)
    batch.add({ row, flight: { seq, version: row.version, after, lane, bytes: counted(lane, bytes), sentAt: now } })
  }

  #queue(lane: Lane): LaneQueue {
    const queue = this.#queues.get(lane)
    if (queue === undefined) throw new Error(`no lane ${lane}`)
    return queue
  }

  /** The round that an answer is about; undefined when it is another outbox's, or of another run. */
  #roundOf(name: string): number | undefined {
    const { box } = this.#options
    return name.startsWith(`${box}.`) ? Number(name.slice(box.length + 1)) : undefined
  }

  #nextPatience(): number {
    // At least half of the bound: an answer that takes its time must not be asked for at once.
    const bound = Math.min(patience.cap, patience.base * 2 ** this.#attempt)
    return bound / 2 + delay(0, { base: bound / 2, cap: bound }, this.#options.random?.() ?? 1)
  }
}
