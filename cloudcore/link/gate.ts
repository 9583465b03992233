import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { decodeUp, type Frame, isNewer, maxFrameBytes, type UpFrame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { Admission } from './admission.ts'
import { FairQueue } from './fair-queue.ts'
import type { LinkEvents } from './link.ts'
import type { Rate } from './token-bucket.ts'
import type { Traffic } from './traffic.ts'

export interface GateOptions {
  events: LinkEvents
  traffic: Traffic
  /** Makes a node begin anew, as on a new link. */
  askAll: (node: string) => void
  /** Bytes on their way to all nodes. */
  backlog: () => number
  clock: Clock
  log: Log
  /** How fast nodes may begin conversations. */
  admission?: Rate
}

type Waiting = { is: 'frame'; bytes: Buffer; handled: () => void } | { is: 'presence'; up: boolean }

/** A fleet of 1,000 that comes back at once is let in within four seconds, and leaves time for everything else. */
const settledRate: Rate = { perSecond: 250, burst: 50 }
/** No new conversation begins while this much is on its way: first syncs of a whole fleet would fill the memory. */
const maxBacklog = 64 * 1024 * 1024
/** Bytes of frames of one node that may wait here: more than the largest frame. */
const maxWaiting = 2 * maxFrameBytes
/** Milliseconds of work after which the event loop gets its turn. */
const slice = 10
/** Milliseconds in which the malformed frames of one node lead to one comparison. */
const calm = 1000

/**
 * What comes in from the nodes, whatever broker carries it: presence, and frames by turns.
 *
 * Invariants:
 * - A node is up from its presence or its first frame until its connection ends.
 * - What a node does is handled in its order: frames that came before its connection ended, before that end. Only a
 *   `have` waits, for admission.
 * - What one node sends, and whatever it leads to, ends at this gate: it delays no other node by more than one frame.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #up = new Set<string>()
  readonly #queue = new FairQueue<Waiting>()
  /** Bytes that wait, by node. */
  readonly #held = new Map<string, number>()
  /** Nodes of which frames had to be dropped, until their queue is empty. */
  readonly #flooded = new Set<string>()
  readonly #admission: Admission<Frame<'have'>>
  readonly #calming = new Map<string, { timer: NodeJS.Timeout; reason: string | undefined }>()
  readonly #malformed = new Map<string, number>()
  #turn: NodeJS.Immediate | undefined

  constructor(options: GateOptions) {
    this.#options = options
    const { clock, admission: rate = settledRate, backlog } = options
    const admit = (node: string, frame: Frame<'have'>) => this.#tell(node, frame)
    this.#admission = new Admission({ rate, mayAdmit: () => backlog() < maxBacklog, admit, clock })
  }

  /** Nodes whose `have` waits for its turn. */
  get waiting(): number {
    return this.#admission.waiting
  }

  isUp(node: string): boolean {
    return this.#up.has(node)
  }

  present(node: string, up: boolean): void {
    this.#queue.push(node, { is: 'presence', up })
    this.#schedule()
  }

  /** The way to all nodes is gone. */
  allGone(): void {
    for (const node of [...this.#up, ...this.#held.keys()]) this.present(node, false)
  }

  /** Takes the bytes of a frame; `handled` is called once it has had its turn. */
  take(node: string, bytes: Buffer, handled: () => void = () => {}): void {
    this.#options.traffic.count(node, 'received', bytes.length)
    const held = (this.#held.get(node) ?? 0) + bytes.length
    if (held > maxWaiting) return this.#drop(node, handled)
    this.#held.set(node, held)
    this.#queue.push(node, { is: 'frame', bytes, handled })
    this.#schedule()
  }

  stop(): void {
    this.#admission.stop()
    for (const { timer } of this.#calming.values()) clearTimeout(timer)
    clearImmediate(this.#turn)
  }

  #schedule(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined
      this.#serve()
    })
  }

  #serve(): void {
    const { clock } = this.#options
    const until = clock.monotonic() + slice
    do {
      const next = this.#queue.next()
      if (next === undefined) return
      this.#handle(next.node, next.item)
    } while (clock.monotonic() < until)
    this.#schedule()
  }

  #handle(node: string, item: Waiting): void {
    if (item.is === 'presence') return this.#presence(node, item.up)
    this.#release(node, item.bytes.length)
    this.#frame(node, item.bytes)
    item.handled()
  }

  #presence(node: string, up: boolean): void {
    if (this.#up.has(node) === up) return
    if (up) this.#up.add(node)
    else this.#forget(node)
    this.#options.log.info({ node, up }, 'node link')
    if (up) this.#options.events.onUp(node)
    else this.#options.events.onDown(node)
  }

  #release(node: string, bytes: number): void {
    const held = (this.#held.get(node) ?? 0) - bytes
    if (held > 0) return void this.#held.set(node, held)
    this.#held.delete(node)
    // What was lost is known by nobody but the node: it says everything again.
    if (this.#flooded.delete(node)) this.#options.askAll(node)
  }

  #drop(node: string, handled: () => void): void {
    this.#options.traffic.dropped++
    if (!this.#flooded.has(node)) this.#options.log.warn({ node, maxWaiting }, 'node sends too fast: frames dropped')
    this.#flooded.add(node)
    handled()
  }

  #forget(node: string): void {
    this.#up.delete(node)
    this.#admission.forget(node)
    this.#malformed.delete(node)
    clearTimeout(this.#calming.get(node)?.timer)
    this.#calming.delete(node)
  }

  #frame(node: string, bytes: Buffer): void {
    const known = this.#up.has(node)
    this.#presence(node, true)
    const decoded = decodeUp(bytes)
    // What only a newer edge knows is no fault of it.
    if (isNewer(decoded)) this.#options.traffic.newer++
    if (!decoded.ok && decoded.unknown)
      return this.#options.log.debug({ node, reason: decoded.reason }, 'frame passed over')
    if (!decoded.ok) return this.#doubt(node, decoded.reason, bytes.length)
    if (decoded.frame.is === 'have') return this.#admission.ask(node, decoded.frame)
    // It goes on with a conversation that ended with its presence.
    if (!known) this.#options.askAll(node)
    this.#tell(node, decoded.frame)
  }

  #tell(node: string, frame: UpFrame): void {
    try {
      this.#options.events.onFrame(node, frame)
    } catch (error) {
      this.#options.log.error({ node, frame: frame.is, reason: explain(error) }, 'frame not handled')
    }
  }

  /** The first malformed frames are logged each, later ones ever more rarely. */
  #doubt(node: string, reason: string, bytes: number): void {
    const { traffic, log } = this.#options
    traffic.malformed++
    const count = (this.#malformed.get(node) ?? 0) + 1
    this.#malformed.set(node, count)
    if (count <= 16 || (count & (count - 1)) === 0) log.warn({ node, reason, bytes, count }, 'malformed frame')
    const calming = this.#calming.get(node)
    if (calming === undefined) this.#compare(node, reason)
    else calming.reason = reason
  }

  #compare(node: string, reason: string): void {
    const timer = setTimeout(() => {
      const again = this.#calming.get(node)?.reason
      this.#calming.delete(node)
      if (again !== undefined) this.#compare(node, again)
    }, calm)
    timer.unref()
    this.#calming.set(node, { timer, reason: undefined })
    this.#options.events.onMalformed(node, reason)
  }
}
