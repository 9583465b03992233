import { type Metric, single } from '@kedge/shared/metrics'
import { type CounterName, type Counters, counterHelp } from './kube/counters.ts'
import type { Link } from './link/link.ts'
import type { SyncHub } from './sync/hub.ts'

export interface CloudParts {
  hub: Pick<SyncHub, 'standings'>
  link: Pick<Link, 'traffic' | 'backlog' | 'waiting'>
  counters: Counters
}

const states = ['away', 'silent', 'comparing', 'level', 'changing'] as const

/** What cloudcore says of itself to Prometheus. */
export function cloudMetrics({ hub, link, counters }: CloudParts): Metric[] {
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
      'kedge_cloud_link_dropped_total',
      'Frames of nodes that sent faster than they could be served',
      () => link.traffic.dropped,
    ),
    counter(
      'kedge_cloud_link_cut_total',
      'Connections ended because the other side did not read',
      () => link.traffic.cut,
    ),
    single({ name: 'kedge_cloud_link_waiting_bytes', help: 'Bytes on their way to nodes', type: 'gauge' }, () => {
      return link.backlog
    }),
    single(
      { name: 'kedge_cloud_link_waiting_nodes', help: 'Nodes that wait for admission to sync', type: 'gauge' },
      () => link.waiting,
    ),
    ...(Object.entries(counterHelp) as [CounterName, string][]).map(([name, help]) =>
      counter(`kedge_cloud_kube_${name}_total`, help, () => counters.get(name)),
    ),
  ]
}
