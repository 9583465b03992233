import { type Metric, single } from '@kedge/shared/metrics'

/** What there is to count of gRPC mappers. */
export interface MapperCounts {
  readonly registered: number
  /** Those that can be reached now. */
  readonly reached: number
  /** Calls that were refused, came to nothing or took too long, since edgecore started. */
  readonly failures: number
}

/** The mappers' share of edgecore's metrics; zeros where mappers cannot register. */
export function mapperMetrics(counts: () => MapperCounts | undefined): Metric[] {
  const count = (name: string, help: string, type: 'gauge' | 'counter', of: keyof MapperCounts) =>
    single({ name, help, type }, () => counts()?.[of] ?? 0)
  return [
    count('kedge_edge_mappers', 'gRPC mappers that have registered', 'gauge', 'registered'),
    count('kedge_edge_mappers_reached', 'gRPC mappers that can be reached', 'gauge', 'reached'),
    count('kedge_edge_mapper_failures_total', 'Calls to gRPC mappers that failed', 'counter', 'failures'),
  ]
}
