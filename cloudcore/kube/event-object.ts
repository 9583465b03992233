import { rfc3339 } from '@kedge/shared/clock'
import type { KubeObject } from '@kedge/shared/objects'
import type { EventReport, GapReport } from '@kedge/shared/reports'

/** Where the event of an object lives: with it, or in `default` when it has no namespace. */
export function eventNamespace({ regarding }: EventReport): string {
  return regarding.namespace || 'default'
}

/** The core/v1 Event of a report; `now` (ms) stands in for a time that no calendar has. */
export function eventObject(node: string, report: EventReport, now: number): KubeObject {
  const { regarding, type, reason, message, by } = report
  const at = rfc3339(isTime(report.at) ? report.at : now)
  const component = `kedge-${by}`
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: report.id, namespace: eventNamespace(report) },
    involvedObject: regarding,
    type,
    reason,
    message,
    source: { component, host: node },
    reportingComponent: component,
    reportingInstance: node,
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  }
}

const year10000 = Date.UTC(10_000, 0)

function isTime(ms: number): boolean {
  return ms >= 0 && ms < year10000
}

/**
 * The Event of its Node that tells of reports which the edge had to drop. A gap that has grown is an Event of its own,
 * which counts what the one before did, and more.
 */
export function gapEvent(node: string, gap: GapReport, now: number): KubeObject {
  const { id, lane, why, count } = gap
  const kib = Math.ceil(gap.bytes / 1024)
  const message = `${count} reports of lane ${lane} (${kib} KiB) were lost before they could be sent: ${gapReasons[why]}`
  const event = eventObject(
    node,
    {
      ...{
        is: 'event',
        id: `${id}.${count}`,
        type: 'Warning',
        reason: 'ReportsDropped',
        by: 'outbox',
        at: gap.to,
        message,
      },
      regarding: { apiVersion: 'v1', kind: 'Node', name: node, uid: node },
    },
    now,
  )
  return { ...event, firstTimestamp: rfc3339(isTime(gap.from) ? gap.from : now), count }
}

const gapReasons: Record<GapReport['why'], string> = {
  bytes: 'the outbox was full',
  age: 'they had waited too long',
  damage: 'the database of the node was damaged',
}
