import type { Lane } from '@kedge/shared/reports'

/** How much may wait, and for how long. */
export interface OutboxBounds {
  /** Bytes that all waiting reports may take together. What says how something is now is kept even beyond it. */
  bytes: number
  /** Milliseconds of this node's running time that events and telemetry may wait; alarms four times as long. */
  age: number
}

export const defaultBounds: OutboxBounds = { bytes: 256 * 1024 * 1024, age: 7 * 86_400_000 }

/** The lanes that may be dropped, the least important first, and the part of all bytes that each may take. */
const shares: ReadonlyMap<Lane, number> = new Map([
  ['telemetry', 1 / 4],
  ['events', 1 / 2],
  ['alarms', 1 / 4],
])

/** A full lane is emptied by this part more than it must, so that not every report that comes drops another. */
const slack = 1 / 64

/** What the text of a row costs beside itself: subject, numbers, index entries. */
export const rowBytes = 96
export const partBytes = 24

/** What waits in one lane. */
export interface Sum {
  reports: number
  bytes: number
}

/** How many bytes each lane has to give up, the least important lane first; lanes that give nothing are left out. */
export function excess(sums: ReadonlyMap<Lane, Sum>, bounds: OutboxBounds): [Lane, number][] {
  let over = [...sums.values()].reduce((total, { bytes }) => total + bytes, 0) - bounds.bytes
  const drops: [Lane, number][] = []
  for (const [lane, share] of shares) {
    const held = sums.get(lane)?.bytes ?? 0
    const limit = share * bounds.bytes
    const give = Math.min(held, Math.max(held - limit, over))
    if (give <= 0) continue
    over -= give
    drops.push([lane, Math.min(held, give + slack * limit)])
  }
  return drops
}

/** How long the reports of each lane may wait, in milliseconds of running time. */
export function ages({ age }: OutboxBounds): [Lane, number][] {
  return [
    ['telemetry', age],
    ['events', age],
    ['alarms', 4 * age],
  ]
}
