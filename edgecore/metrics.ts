import { type Metric, single } from '@kedge/shared/metrics'
import { resources } from '@kedge/shared/objects'
import { lanes } from '@kedge/shared/reports'
import type { Cloud } from './edgecore.ts'
import type { Objects } from './store/objects.ts'
import type { Outbox } from './store/outbox.ts'

export interface EdgeParts {
  objects: Objects
  outbox: Outbox
  /** Undefined for a node that runs alone. */
  cloud: Pick<Cloud, 'link' | 'inSync'> | undefined
}

/** What edgecore says of itself to Prometheus. */
export function edgeMetrics({ objects, outbox, cloud }: EdgeParts): Metric[] {
  const gauge = (name: string, help: string, read: () => number) => single({ name, help, type: 'gauge' }, read)
  const counter = (name: string, help: string, read: () => number) => single({ name, help, type: 'counter' }, read)
  return [
    {
      name: 'kedge_edge_objects',
      help: 'Objects of the desired state that this node holds',
      type: 'gauge',
      labels: ['resource'],
      read: () => resources.map((resource) => ({ labels: { resource }, value: objects.list(resource).length })),
    },
    {
      name: 'kedge_edge_outbox_reports',
      help: 'Reports waiting for the answer of the cloud',
      type: 'gauge',
      labels: ['lane'],
      read: () => {
        const waiting = outbox.all().filter(({ refused }) => refused === null)
        return lanes.map((lane) => ({ labels: { lane }, value: waiting.filter((row) => row.lane === lane).length }))
      },
    },
    gauge('kedge_edge_outbox_refused', 'Reports that Kubernetes will never take', () => {
      return outbox.all().filter(({ refused }) => refused !== null).length
    }),
    gauge('kedge_edge_link_up', '1 while the link to the cloud is up', () => Number(cloud?.link.up ?? false)),
    gauge('kedge_edge_in_sync', '1 once the cloud has confirmed what this node holds', () =>
      Number(cloud?.inSync ?? false),
    ),
    counter('kedge_edge_link_sent_bytes_total', 'Bytes of frames sent', () => cloud?.link.traffic.sent ?? 0),
    counter(
      'kedge_edge_link_received_bytes_total',
      'Bytes of frames received',
      () => cloud?.link.traffic.received ?? 0,
    ),
    counter(
      'kedge_edge_link_malformed_total',
      'Frames that could not be read',
      () => cloud?.link.traffic.malformed ?? 0,
    ),
  ]
}
