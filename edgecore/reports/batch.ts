import { type Lane, lanes } from '@kedge/shared/reports'
import type { OutboxRow } from '../store/outbox.ts'
import type { Flight, Flights } from './flights.ts'

/** A row of the outbox in a frame. */
export interface Item {
  row: OutboxRow
  flight: Flight
}

/** What may be on its way at once: in all, and of what is not urgent, so that this never stands before the rest. */
const window = { rows: 2000, bytes: 256 * 1024 }
const bulkWindow = { rows: 1000, bytes: 128 * 1024 }
/** Of that, telemetry takes half: who takes it may be away while Kubernetes is there. */
const telemetryWindow = { rows: 500, bytes: 64 * 1024 }
/** The lanes that are not urgent. */
export const bulk: ReadonlySet<Lane> = new Set(['events', 'telemetry'])

/** Rows and, roughly, bytes of one frame, before compression: a slow link's keep-alive waits for one at most. */
const frameRows = 200
const frameBytes = 32 * 1024

/** What a report of so many bytes counts for: however large one is, telemetry keeps within its part of the window. */
export function counted(lane: Lane, bytes: number): number {
  return lane === 'telemetry' ? Math.min(bytes, telemetryWindow.bytes) : bytes
}

/** The rows of one frame, as long as they fit into it and into the window. */
export class Batch {
  readonly items: Item[] = []
  readonly #flights: Flights
  readonly #added = new Map<Lane, { rows: number; bytes: number }>()
  #bytes = 0

  constructor(flights: Flights) {
    this.#flights = flights
  }

  takes(lane: Lane): boolean {
    if (this.items.length >= frameRows || this.#bytes >= frameBytes) return false
    if (!this.#fits(lanes, window)) return false
    if (bulk.has(lane) && !this.#fits([...bulk], bulkWindow)) return false
    return lane !== 'telemetry' || this.#fits([lane], telemetryWindow)
  }

  add(item: Item): void {
    const { lane, bytes } = item.flight
    this.items.push(item)
    this.#bytes += bytes
    const added = this.#added.get(lane) ?? { rows: 0, bytes: 0 }
    this.#added.set(lane, { rows: added.rows + 1, bytes: added.bytes + bytes })
  }

  #fits(of: readonly Lane[], limit: { rows: number; bytes: number }): boolean {
    let [rows, bytes] = [0, 0]
    for (const lane of of) {
      for (const load of [this.#flights.load(lane), this.#added.get(lane)]) {
        rows += load?.rows ?? 0
        bytes += load?.bytes ?? 0
      }
    }
    return rows < limit.rows && bytes < limit.bytes
  }
}
