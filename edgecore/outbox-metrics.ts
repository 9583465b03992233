import type { Clock } from '@kedge/shared/clock'
import { type Metric, single } from '@kedge/shared/metrics'
import { type Lane, lanes } from '@kedge/shared/reports'
import type { Outbox } from './store/outbox.ts'

export interface OutboxParts {
  outbox: Pick<Outbox, 'sums' | 'asideSum' | 'oldest' | 'dropped'>
  clock: Clock
}

/** What waits for the cloud, by lane. None of it costs a look at all rows. */
export function outboxMetrics({ outbox, clock }: OutboxParts): Metric[] {
  const byLane = (name: string, help: string, read: (lane: Lane) => number): Metric => ({
    name,
    help,
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    labels: ['lane'],
    read: () => lanes.map((lane) => ({ labels: { lane }, value: read(lane) })),
  })
  const age = (at: number | undefined) => (at === undefined ? 0 : Math.max(0, clock.now() - at) / 1000)
  return [
    byLane('kedge_edge_outbox_reports', 'Reports waiting for the answer of the cloud', (lane) => {
      return outbox.sums().get(lane)?.reports ?? 0
    }),
    byLane('kedge_edge_outbox_bytes', 'What they take in the database', (lane) => outbox.sums().get(lane)?.bytes ?? 0),
    byLane('kedge_edge_outbox_oldest_seconds', 'Age of the oldest of them, by the clock of the node', (lane) =>
      age(outbox.oldest(lane)),
    ),
    byLane(
      'kedge_edge_outbox_dropped_total',
      'Reports dropped because a lane was full or they were too old',
      (lane) => {
        return outbox.dropped.get(lane) ?? 0
      },
    ),
    single(
      { name: 'kedge_edge_outbox_refused', help: 'Reports set aside: Kubernetes will never take them', type: 'gauge' },
      () => outbox.asideSum().reports,
    ),
  ]
}
