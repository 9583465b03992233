import { readFileSync, statSync } from 'node:fs'
import { type Metric, single } from '@kedge/shared/metrics'
import type { Store } from './store/store.ts'

/** What edgecore says of its disk. */
export function storageMetrics(store: Pick<Store, 'path' | 'commits' | 'fault'>): Metric[] {
  return [
    single(
      { name: 'kedge_edge_commits_total', help: 'Transactions kept on disk', type: 'counter' },
      () => store.commits,
    ),
    single(
      {
        name: 'kedge_edge_disk_written_bytes_total',
        help: 'Bytes that this process has had written to disk; 0 where the system does not count them',
        type: 'counter',
      },
      writtenBytes,
    ),
    {
      name: 'kedge_edge_database_bytes',
      help: 'Size of the database and of its write-ahead log',
      type: 'gauge',
      labels: ['file'],
      read: () =>
        [['database', store.path] as const, ['log', `${store.path}-wal`] as const].map(([file, path]) => ({
          labels: { file },
          value: statSync(path, { throwIfNoEntry: false })?.size ?? 0,
        })),
    },
    single({ name: 'kedge_edge_storage_healthy', help: '1 while the disk takes what is written', type: 'gauge' }, () =>
      Number(store.fault === undefined),
    ),
  ]
}

/** `write_bytes` of /proc/self/io (proc_pid_io(5)): what reaches the disk, not what is written to files in memory. */
function writtenBytes(): number {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
