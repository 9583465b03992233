import type { Clock } from '@kedge/shared/clock'
import { type Metric, single } from '@kedge/shared/metrics'
import { resources } from '@kedge/shared/objects'
import type { Cloud } from './cloud.ts'
import { mapperMetrics } from './devices/dmi/metrics.ts'
import type { Devices } from './devices/host.ts'
import { type PodMetricsParts, podMetrics } from './node/metrics.ts'
import { outboxMetrics } from './outbox-metrics.ts'
import { storageMetrics } from './storage-metrics.ts'
import type { Objects } from './store/objects.ts'
import type { Outbox } from './store/outbox.ts'
import type { Store } from './store/store.ts'

export interface EdgeParts {
  store: Store
  objects: Objects
  outbox: Outbox
  clock: Clock
  /** Undefined for a node that runs alone. */
  cloud: Pick<Cloud, 'link' | 'inSync' | 'budget' | 'keeper'> | undefined
  devices: Pick<Devices, 'drivers' | 'mappers' | 'warned'>
  /** What looks after the pods. */
  node?: PodMetricsParts
}

/** What edgecore says of itself to Prometheus. */
export function edgeMetrics({ store, objects, outbox, clock, cloud, devices, node }: EdgeParts): Metric[] {
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
    ...outboxMetrics({ outbox, clock }),
    ...storageMetrics(store),
    ...(node ? podMetrics(node) : []),
    ...mapperMetrics(() => devices.mappers),
    gauge('kedge_edge_link_budget_bytes', 'Bytes a day for the link; 0 without a budget', () => {
      return cloud?.budget?.limit ?? 0
    }),
    gauge('kedge_edge_link_budget_spent_bytes', 'Bytes of the budget that this day has taken', () => {
      return cloud?.budget?.spent ?? 0
    }),
    gauge('kedge_edge_link_up', '1 while the link to the cloud is up', () => Number(cloud?.link.up ?? false)),
    gauge('kedge_edge_in_sync', '1 once the cloud has confirmed what this node holds', () =>
      Number(cloud?.inSync ?? false),
    ),
    {
      name: 'kedge_edge_certificate_expiry_seconds',
      help: "Seconds until the node's certificate ends; below 0 once it has; left out for a node without one",
      type: 'gauge',
      labels: [],
      read: () => (cloud?.keeper ? [{ labels: {}, value: (cloud.keeper.endsAt - clock.now()) / 1000 }] : []),
    },
    counter('kedge_edge_link_sent_bytes_total', 'Bytes of frames sent', () => cloud?.link.traffic.sent ?? 0),
    {
      name: 'kedge_edge_link_lane_sent_bytes_total',
      help: 'Bytes of frames sent, by lane of their reports; sync is the conversation on the desired state',
      type: 'counter',
      labels: ['lane'],
      read: () => [...(cloud?.link.sentFor ?? [])].map(([lane, value]) => ({ labels: { lane }, value })),
    },
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
    counter(
      'kedge_edge_link_newer_total',
      'Frames of a kind, or with fields, that only a newer cloudcore knows',
      () => cloud?.link.traffic.newer ?? 0,
    ),
    gauge('kedge_edge_driver_devices', 'Devices that a driver serves', () => devices.drivers.size),
    {
      name: 'kedge_edge_driver_failures_total',
      help: 'What went wrong with the driver of a device, by device; those without a failure are left out',
      type: 'counter',
      labels: ['device'],
      read: () => [...devices.drivers.failures].map(([device, value]) => ({ labels: { device }, value })),
    },
    {
      name: 'kedge_edge_device_warnings_total',
      help: 'What was wrong with a device, by device and reason, whether it became an event or not',
      type: 'counter',
      labels: ['device', 'reason'],
      read: () =>
        Array.from(devices.warned, ({ device, reason, count }) => ({ labels: { device, reason }, value: count })),
    },
  ]
}
