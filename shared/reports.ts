import * as z from 'zod'
import { Announcement } from './proposals.ts'

/**
 * What an edge node says upward. State reports (`node`, `pod`, `device`) fold per subject, the newest wins; events
 * append. Applying a report twice does no harm.
 */

const timed = z.object({
  value: z.string(),
  /** When it was written, milliseconds since the epoch by the edge's clock. */
  at: z.number(),
})

/** One property of a device's twin, as the edge holds it. */
export const TwinReport = z.object({
  /** The MQTT twin type: string, int, float, boolean, … */
  type: z.string(),
  /** The desired value in force at the edge; becomes `observedDesired`. */
  desired: timed.optional(),
  reported: timed.optional(),
})
export type TwinReport = z.infer<typeof TwinReport>

const record = z.record(z.string(), z.unknown())

export const NodeReport = z.object({
  is: z.literal('node'),
  labels: z.record(z.string(), z.string()),
  /** `Node.status` as the edge knows it: capacity, allocatable, conditions, addresses, nodeInfo, images. */
  status: record,
})

export const PodReport = z.object({
  is: z.literal('pod'),
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  /** `Pod.status`. */
  status: record,
  /** True once a pod that the cloud asked to delete has stopped for good: its API object may go. */
  stopped: z.boolean().optional(),
})

export const DeviceReport = z.object({
  is: z.literal('device'),
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  /** The properties that changed since the last acknowledged report; null for one that was deleted. */
  twins: z.record(z.string(), TwinReport.nullable()).optional(),
  state: z.string().optional(),
  /** RFC 3339. */
  lastOnlineTime: z.string().optional(),
})

export const EventReport = z.object({
  is: z.literal('event'),
  /** Unique for ever; the Kubernetes Event is named after it, so that a repeat changes nothing. */
  id: z.string().regex(/^[0-9a-z-]{8,40}$/),
  regarding: z.object({
    apiVersion: z.string(),
    kind: z.string(),
    namespace: z.string().optional(),
    name: z.string(),
    uid: z.string().optional(),
  }),
  type: z.enum(['Normal', 'Warning']),
  reason: z.string().max(128),
  message: z.string().max(1024),
  /** Milliseconds since the epoch by the edge's clock. */
  at: z.number(),
  /** The part of edgecore that says it, for instance `pods` or `devices`. */
  by: z.string(),
})

/** Reports that the edge had to drop before the cloud had them: so much of a lane, and why. Becomes an Event of the Node. */
export const GapReport = z.object({
  is: z.literal('gap'),
  /** Unique for ever; a later report of the same id counts what the earlier ones did, and more. */
  id: z.string().regex(/^[0-9a-z-]{8,40}$/),
  lane: z.string().max(32),
  /** `bytes`: the lane was full. `age`: they had waited too long. `damage`: the database that held them was damaged. */
  why: z.enum(['bytes', 'age', 'damage']),
  count: z.int().positive(),
  bytes: z.int().nonnegative(),
  /** When the first and the last of them were written, milliseconds since the epoch by the edge's clock. */
  from: z.number(),
  to: z.number(),
})

/** What is announced on the node's local broker and no device yet: all of it. */
export const DiscoveredReport = z.object({ is: z.literal('discovered'), announcements: z.array(Announcement).max(500) })

/** Bytes that one upload may have. */
export const maxUploadBytes = 256 * 1024
/** Characters that its topic may have. */
export const maxUploadTopic = 1024

/** A message that a client of the local broker published for the cloud. */
export const UploadReport = z.object({
  is: z.literal('upload'),
  /** Unique for ever: a repeat has the same. */
  id: z.string().regex(/^[0-9a-z-]{8,40}$/),
  topic: z.string().min(1).max(maxUploadTopic),
  payload: z.base64().max(Math.ceil(maxUploadBytes / 3) * 4),
  /** When it was published, milliseconds since the epoch by the edge's clock; no more than a `Date` can hold. */
  at: z.number().min(0).max(8.64e15),
})

export const Report = z.discriminatedUnion('is', [
  NodeReport,
  PodReport,
  DeviceReport,
  EventReport,
  GapReport,
  DiscoveredReport,
  UploadReport,
])
export type NodeReport = z.infer<typeof NodeReport>
export type PodReport = z.infer<typeof PodReport>
export type DeviceReport = z.infer<typeof DeviceReport>
export type EventReport = z.infer<typeof EventReport>
export type GapReport = z.infer<typeof GapReport>
export type DiscoveredReport = z.infer<typeof DiscoveredReport>
export type UploadReport = z.infer<typeof UploadReport>
export type Report = z.infer<typeof Report>

/** In the order of importance in which they are served. */
export const lanes = ['control', 'alarms', 'state', 'events', 'telemetry'] as const
export type Lane = (typeof lanes)[number]

/** Lanes whose reports say how something is now: the newest of a subject says it all, so they are never dropped. */
export const lasting: ReadonlySet<Lane> = new Set(['control', 'state'])

/** The lane of a report. An alarm is a Warning event, whatever it is about. */
export function laneOf(report: Report): Lane {
  switch (report.is) {
    case 'node':
    case 'gap':
      return 'control'
    case 'pod':
    case 'device':
    case 'discovered':
      return 'state'
    case 'event':
      return report.type === 'Warning' ? 'alarms' : 'events'
    case 'upload':
      return 'telemetry'
  }
}

/** Reports of one subject fold into one. */
export function subjectOf(report: Report): string {
  switch (report.is) {
    case 'node':
      return 'node'
    case 'pod':
      return `pods/${report.namespace}/${report.name}`
    case 'device':
      return `devices/${report.namespace}/${report.name}`
    case 'event':
      return `events/${report.id}`
    case 'discovered':
      return 'discovered'
    case 'upload':
      return `uploads/${report.id}`
    case 'gap':
      return `gaps/${report.lane}/${report.why}`
  }
}
