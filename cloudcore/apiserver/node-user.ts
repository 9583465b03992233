import type { User } from '@kedge/shared/kubeapi/access'

const prefix = 'system:node:'

/** The node that a user is, by Kubernetes' naming of nodes; undefined for everyone else. */
export function nodeNameOf({ name, groups }: User): string | undefined {
  return groups.includes('system:nodes') && name.startsWith(prefix) ? name.slice(prefix.length) : undefined
}
