import { type Metric, single } from '@kedge/shared/metrics'
import type { NodeCondition } from '../reports/node-conditions.ts'
import type { ImageCare } from './image-care.ts'

export interface PodMetricsParts {
  images: Pick<ImageCare, 'counts'>
  /** The condition `OfflineReady`, once it is known. */
  readonly offlineReady: NodeCondition | undefined
}

/** What edgecore says of how it looks after its pods. */
export function podMetrics(node: PodMetricsParts): Metric[] {
  return [
    single(
      {
        name: 'kedge_edge_offline_ready',
        help: '1 while everything that this node runs would come back without the cloud',
        type: 'gauge',
      },
      () => Number(node.offlineReady?.status === 'True'),
    ),
    single(
      { name: 'kedge_edge_images_removed_total', help: 'Images removed because their disk got full', type: 'counter' },
      () => node.images.counts.removed,
    ),
    single(
      { name: 'kedge_edge_images_removed_bytes_total', help: 'Bytes that they had', type: 'counter' },
      () => node.images.counts.bytes,
    ),
  ]
}
