import type { Lane } from '@kedge/shared/reports'

/** A row of the outbox on its way to the cloud: what was said in it after version `after`, up to `version`. */
export interface Flight {
  seq: number
  version: number
  after: number
  lane: Lane
  /** About so many bytes, before compression. */
  bytes: number
  /** Monotonic. */
  sentAt: number
}

interface Tracked extends Flight {
  /** It counts as on its way; a lost one is remembered only for an answer that comes late. */
  open: boolean
}

/** How much is on its way. */
export interface Load {
  rows: number
  bytes: number
}

/** Rounds whose answers are still understood. */
const roundsKept = 4

/**
 * What is on its way to the cloud.
 *
 * Invariant: within a round, a row and a version name one flight. Whatever is sent once more, wholly or in part, goes in a
 * new round: an answer, however late, says exactly what it is about.
 */
export class Flights {
  /** By round: by row and version. */
  readonly #rounds = new Map<number, Map<string, Tracked>>()
  #round = 0
  /** Open flights in the order in which they were sent. */
  readonly #open = new Set<Tracked>()
  readonly #bySeq = new Map<number, { upTo: number; sentAt: number; open: Set<Tracked> }>()
  readonly #loads = new Map<Lane, Load>()

  /** The present round. */
  get round(): number {
    return this.#round
  }

  get size(): number {
    return this.#open.size
  }

  /** A new link: what was on its way counts as lost. */
  begin(): void {
    for (const flight of [...this.#open]) this.#close(flight)
    this.#bySeq.clear()
    this.nextRound()
  }

  add(flight: Flight): void {
    const tracked = { ...flight, open: true }
    this.#flightsOf(this.#round).set(nameOf(flight), tracked)
    this.#open.add(tracked)
    const known = this.#bySeq.get(flight.seq)
    const open = known?.open ?? new Set<Tracked>()
    this.#bySeq.set(flight.seq, { upTo: flight.version, sentAt: flight.sentAt, open: open.add(tracked) })
    const load = this.load(flight.lane)
    this.#loads.set(flight.lane, { rows: load.rows + 1, bytes: load.bytes + flight.bytes })
  }

  /** Up to which version of a row all has been sent, and when the last of it; undefined when nothing of it is open. */
  of(seq: number): { upTo: number; sentAt: number } | undefined {
    return this.#bySeq.get(seq)
  }

  /** The flight that an answer is about; undefined when nothing is known of it. */
  find(round: number, seq: number, version: number): Flight | undefined {
    return this.#rounds.get(round)?.get(nameOf({ seq, version }))
  }

  /** Forgets an answered flight. When it was the last open one of its row: up to which version that row was sent. */
  settle(round: number, { seq, version }: Flight): number | undefined {
    const name = nameOf({ seq, version })
    const flight = this.#rounds.get(round)?.get(name)
    const upTo = this.#bySeq.get(seq)?.upTo
    this.#rounds.get(round)?.delete(name)
    if (flight !== undefined) this.#close(flight)
    return this.#bySeq.has(seq) ? undefined : upTo
  }

  /** Gives up what was sent before `before`, and all else of the same rows; the rows, by lane, to be sent again. */
  giveUp(before: number): { seq: number; lane: Lane }[] {
    const rows = new Map<number, Lane>()
    for (const { seq, lane, sentAt } of this.#open) {
      if (sentAt >= before) break
      rows.set(seq, lane)
    }
    if (rows.size === 0) return []
    for (const flight of [...this.#open]) if (rows.has(flight.seq)) this.#close(flight)
    this.nextRound()
    return [...rows].map(([seq, lane]) => ({ seq, lane }))
  }

  /** What of a lane is on its way. */
  load(lane: Lane): Load {
    return this.#loads.get(lane) ?? { rows: 0, bytes: 0 }
  }

  #close(flight: Tracked): void {
    if (!flight.open) return
    flight.open = false
    this.#open.delete(flight)
    const load = this.load(flight.lane)
    this.#loads.set(flight.lane, { rows: load.rows - 1, bytes: load.bytes - flight.bytes })
    const row = this.#bySeq.get(flight.seq)
    row?.open.delete(flight)
    if (row?.open.size === 0) this.#bySeq.delete(flight.seq)
  }

  #flightsOf(round: number): Map<string, Tracked> {
    const known = this.#rounds.get(round)
    if (known !== undefined) return known
    const fresh = new Map<string, Tracked>()
    this.#rounds.set(round, fresh)
    return fresh
  }

  /** Begins a new round; what is on its way stays so. */
  nextRound(): void {
    this.#round += 1
    for (const [round, flights] of this.#rounds) {
      if (round > this.#round - roundsKept) break
      if (![...flights.values()].some(({ open }) => open)) this.#rounds.delete(round)
    }
  }
}

function nameOf({ seq, version }: Pick<Flight, 'seq' | 'version'>): string {
  return `${seq}/${version}`
}
