import { identityName } from '@kedge/cloudcore/identity/records'
import { findIdentity } from '@kedge/edgecore/identity/keep'
import { ask, readKubeconfig } from './kube.ts'
import type { Member } from './layout.ts'

export interface Joining {
  kubeconfig: string
  edge: Member
  signal: AbortSignal
}

/**
 * Joins an edge node as a person would, with a token that is made for it; does nothing for one that has joined. A node
 * that the cloud does not know any more, whose folder somebody has removed, joins anew.
 */
export async function joinEdge({ kubeconfig, edge, signal }: Joining): Promise<void> {
  const { name, data } = edge
  const { identity } = findIdentity(data)
  if (identity !== undefined && (await isKnown(kubeconfig, name))) return
  // It is much to load, and most starts do without.
  const [{ tokenCommand }, { join }] = await Promise.all([
    import('@kedge/cloudcore/cli/token'),
    import('@kedge/edgecore/cli/join'),
  ])
  const around = { env: {}, now: Date.now(), note: () => {} }
  const command = await tokenCommand(['create', '--node', name, '--ttl', '10m', '--kubeconfig', kubeconfig], around)
  // What is printed is `edgecore join …`.
  const flags = command.trim().split(' ').slice(2)
  await join([...flags, '--data', data, '--force'], { env: {}, note: () => {}, stdin: () => '', signal })
}

async function isKnown(kubeconfig: string, node: string): Promise<boolean> {
  const path = `/api/v1/namespaces/kedge/secrets/${identityName(node)}`
  return (await ask(readKubeconfig(kubeconfig), 'GET', path)).status === 200
}
