import { randomUUID } from 'node:crypto'
import { create } from '@kedge/shared/kubeapi/create'
import type { ApiKind } from '@kedge/shared/kubeapi/kinds'
import { permanentNamespaces } from '@kedge/shared/kubeapi/remove'
import type { Storage } from '@kedge/shared/kubeapi/storage'
import { must } from '@kedge/shared/must'
import { administrator } from './authentication.ts'

/** Makes the namespaces that every cluster has, unless they are there. */
export async function ensureNamespaces(storage: Storage, kinds: readonly ApiKind[], now: number): Promise<void> {
  const kind = must(
    kinds.find(({ storage: name }) => name === 'namespaces'),
    'the kind Namespace',
  )
  for (const name of permanentNamespaces) {
    if (storage.get({ resource: 'namespaces', namespace: '', name }) !== undefined) continue
    await storage.commit((tx) =>
      create(
        { tx, kind, namespace: '', kinds, user: administrator, fieldValidation: 'Ignore', now, uid: randomUUID },
        { metadata: { name } },
      ),
    )
  }
}
