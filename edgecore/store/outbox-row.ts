import { type DeviceReport, type Lane, lanes, type Report } from '@kedge/shared/reports'

/** A report that waits, as a whole. */
export interface OutboxRow {
  seq: number
  lane: Lane
  subject: string
  /** Counts the folds into this row. */
  version: number
  report: Report
  /** Milliseconds since the epoch, when the row was first written. */
  createdAt: number
  refused: string | null
}

/** The table `outbox`. */
export interface RawRow {
  seq: number
  lane: number
  subject: string
  version: number
  report: string
  created_at: number
  refused: string | null
  parted: 0 | 1
}

/** A row of `outbox_parts`: a property of a device, or what else is said of it under the name ''. */
export interface Part {
  part: string
  content: string
}

/** What the database keeps of a report: the text of its row, and its parts. */
export function textsOf(report: Report): { head: string; parts: Part[] } {
  if (report.is !== 'device') return { head: JSON.stringify(report), parts: [] }
  const { twins = {}, state, lastOnlineTime, ...head } = report
  const parts = Object.entries(twins).map(([part, twin]) => ({ part, content: JSON.stringify(twin) }))
  // A row without a part would never be answered.
  if (state !== undefined || lastOnlineTime !== undefined || parts.length === 0)
    parts.push({ part: '', content: JSON.stringify({ state, lastOnlineTime }) })
  return { head: JSON.stringify(head), parts }
}

/** The report that `textsOf` took apart, or as much of it as `parts` has. */
export function reportOf(head: string, parts: readonly Part[]): Report {
  const report = JSON.parse(head) as Report
  return report.is === 'device' ? withParts(report, parts) : report
}

function withParts(head: DeviceReport, parts: readonly Part[]): DeviceReport {
  const twins = parts.filter(({ part }) => part !== '').map(({ part, content }) => [part, JSON.parse(content)])
  const rest = parts.find(({ part }) => part === '')
  return {
    ...head,
    ...(rest && JSON.parse(rest.content)),
    ...(twins.length > 0 && { twins: Object.fromEntries(twins) }),
  }
}

/** The row with its report. */
export function rowOf({ seq, lane, subject, version, report, created_at, refused }: RawRow, parts: Part[]): OutboxRow {
  return {
    ...{ seq, subject, version, refused },
    lane: lanes[lane] ?? 'telemetry',
    report: reportOf(report, parts),
    createdAt: created_at,
  }
}
