import { type Histogram, type HistogramMetric, type Metric, single } from '@kedge/shared/metrics'
import { type CounterName, type Counters, counterHelp } from './kube/counters.ts'
import type { Link } from './link/link.ts'
import type { SyncHub } from './sync/hub.ts'
import type { Inbox } from './sync/inbox.ts'
import { objectStates } from './sync/standing.ts'
import type { UploadCounts } from './uploads/sink.ts'

export interface CloudParts {
  hub: Pick<SyncHub, 'standings' | 'counts'>
  /** From the change of an object to its node's word that it holds it. */
  heldSeconds: Histogram
  link: Pick<Link, 'traffic' | 'backlog' | 'waiting'> & Partial<Pick<Link, 'turnedAway' | 'enrolling'>>
  inbox: Pick<Inbox, 'counts' | 'pending'>
  counters: Counters
  /** Undefined where nobody joins. */
  enroller?: { counts: ReadonlyMap<string, number>; waiting: number } | undefined
  /** Undefined without a place for uploads. */
  uploads?: { counts: UploadCounts } | undefined
}

/** Bounds of `heldSeconds`. */
export const heldBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Nodes that are told by name: the ones that lack most. */
const namedNodes = 20

const states = ['away', 'silent', 'comparing', 'level', 'changing'] as const

/** What cloudcore says of itself to Prometheus. */
export function cloudMetrics(parts: CloudParts): (Metric | HistogramMetric)[] {
  const { hub, link, inbox, counters, heldSeconds, uploads, enroller } = parts
  const counter = (name: string, help: string, read: () => number) => single({ name, help, type: 'counter' }, read)
  return [
    {
      name: 'kedge_cloud_nodes',
      help: 'Nodes by the state of their sync; level is in sync',
      type: 'gauge',
      labels: ['state'],
      read: () => {
        const standings = [...hub.standings()]
        return states.map((state) => ({
          labels: { state },
          value: standings.filter((standing) => standing.state === state).length,
        }))
      },
    },
    {
      name: 'kedge_cloud_objects',
      help: 'Objects that nodes should hold, by where they stand',
      type: 'gauge',
      labels: ['state'],
      read: () => {
        const counts = [...hub.counts()]
        return objectStates.map((state) => ({
          labels: { state },
          value: counts.reduce((sum, node) => sum + node.counts[state], 0),
        }))
      },
    },
    {
      name: 'kedge_cloud_node_objects_behind',
      help: `Objects that a node has not confirmed or refuses; the ${namedNodes} nodes with most of them`,
      type: 'gauge',
      labels: ['node'],
      read: () =>
        [...hub.counts()]
          .map(({ node, counts: { sending, waiting, refused, unknown } }) => ({
            labels: { node },
            value: sending + waiting + refused + unknown,
          }))
          .filter(({ value }) => value > 0)
          .sort((a, b) => b.value - a.value)
          .slice(0, namedNodes),
    },
    {
      name: 'kedge_cloud_object_held_seconds',
      help: 'Time from the change of an object to the word of its node that it is held',
      type: 'histogram',
      histogram: heldSeconds,
    },
    counter('kedge_cloud_link_sent_bytes_total', 'Bytes of frames sent', () => link.traffic.sent),
    counter('kedge_cloud_link_received_bytes_total', 'Bytes of frames received', () => link.traffic.received),
    {
      name: 'kedge_cloud_link_node_bytes_total',
      help: 'The same by node; of the nodes beyond the first 200 together, without a name',
      type: 'counter',
      labels: ['node', 'direction'],
      read: () =>
        [...link.traffic.nodes()].flatMap(({ node = '', sent, received }) => [
          { labels: { node, direction: 'sent' }, value: sent },
          { labels: { node, direction: 'received' }, value: received },
        ]),
    },
    counter('kedge_cloud_link_malformed_total', 'Frames that could not be read', () => link.traffic.malformed),
    counter(
      'kedge_cloud_link_newer_total',
      'Frames of a kind, or with fields, that only a newer edgecore knows',
      () => link.traffic.newer,
    ),
    counter(
      'kedge_cloud_link_dropped_total',
      'Frames of nodes that sent faster than they could be served',
      () => link.traffic.dropped,
    ),
    counter(
      'kedge_cloud_link_cut_total',
      'Connections ended because the other side did not read',
      () => link.traffic.cut,
    ),
    {
      name: 'kedge_cloud_link_refused_total',
      help: 'What was refused at the door of the link, by why',
      type: 'counter',
      labels: ['reason'],
      read: () => [...(link.turnedAway?.counts ?? [])].map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: 'kedge_cloud_enrolments_total',
      help: 'Requests for certificates by what became of them: enrolled, renewed, or why not',
      type: 'counter',
      labels: ['result'],
      read: () => [...(enroller?.counts ?? [])].map(([result, value]) => ({ labels: { result }, value })),
    },
    single(
      {
        name: 'kedge_cloud_enrolments_waiting',
        help: 'Requests for certificates that wait for their turn',
        type: 'gauge',
      },
      () => enroller?.waiting ?? 0,
    ),
    single({ name: 'kedge_cloud_link_waiting_bytes', help: 'Bytes on their way to nodes', type: 'gauge' }, () => {
      return link.backlog
    }),
    single(
      { name: 'kedge_cloud_link_waiting_nodes', help: 'Nodes that wait for admission to sync', type: 'gauge' },
      () => link.waiting,
    ),
    counter('kedge_cloud_reports_total', 'Reports of edge nodes received', () => inbox.counts.received),
    counter(
      'kedge_cloud_reports_untaken_total',
      'Reports left to come again, as their nodes had too many undecided',
      () => inbox.counts.untaken,
    ),
    counter(
      'kedge_cloud_reports_refused_total',
      'Reports refused for good, with the reason',
      () => inbox.counts.refused,
    ),
    single(
      { name: 'kedge_cloud_reports_pending', help: 'Reports that Kubernetes has not decided on', type: 'gauge' },
      () => {
        return inbox.pending
      },
    ),
    {
      name: 'kedge_cloud_uploads_total',
      help: 'Uploads of edge nodes by what became of them; delayed counts the tries that are made again',
      type: 'counter',
      labels: ['result'],
      read: () => Object.entries(uploads?.counts ?? {}).map(([result, value]) => ({ labels: { result }, value })),
    },
    ...(Object.entries(counterHelp) as [CounterName, string][]).map(([name, help]) =>
      counter(`kedge_cloud_kube_${name}_total`, help, () => counters.get(name)),
    ),
  ]
}
