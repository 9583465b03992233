import { type Metric, single } from '@kedge/shared/metrics'
import { type CounterName, type Counters, counterHelp } from './kube/counters.ts'
import type { EmbeddedLink } from './link/embedded.ts'
import type { SyncHub } from './sync/hub.ts'

export interface CloudParts {
  hub: Pick<SyncHub, 'standings'>
  link: Pick<EmbeddedLink, 'traffic'>
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
    counter('kedge_cloud_link_malformed_total', 'Frames that could not be read', () => link.traffic.malformed),
    ...(Object.entries(counterHelp) as [CounterName, string][]).map(([name, help]) =>
      counter(`kedge_cloud_kube_${name}_total`, help, () => counters.get(name)),
    ),
  ]
}
