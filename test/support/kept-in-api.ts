import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { databaseName, openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { apiServerDir } from '@kedge/cloudcore/settings'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'

/** Puts objects of core kinds into the embedded API of a cloudcore that has not run yet, as if they had been created. */
export async function keepInApi(data: string, objects: readonly KubeObject[]): Promise<void> {
  const dir = apiServerDir(data)
  mkdirSync(dir, { recursive: true })
  const store = new LogStore(openDatabase(join(dir, databaseName)), silentLog)
  await store.commit((tx) => {
    for (const { metadata, ...object } of objects) {
      const { name, namespace = 'default' } = metadata
      const resource = `${object.kind?.toLowerCase()}s`
      const kept = { uid: `uid-${resource}-${name}`, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata }
      tx.put({ resource, namespace, name }, { ...object, metadata: kept })
    }
  })
  store.close()
}
