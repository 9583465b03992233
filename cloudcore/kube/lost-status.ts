import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { CatalogChange } from './catalog-entry.ts'
import { conditionsIn } from './conditions.ts'
import { twinsIn } from './device-status.ts'
import { nodeOf } from './trim.ts'

/** What of a node's pods and devices says nothing that it could have reported. */
export type Lost = { node: string; keys: Key[] } | { node: string; keys: 'all' }

/** Looks at all pods and devices once; nodes of which most say nothing are to be asked for all. */
export function lostOf(objects: Iterable<readonly ['pods' | 'devices', KubeObject]>): Lost[] {
  const nodes = new Map<string, { count: number; lost: Key[] }>()
  for (const [resource, object] of objects) {
    const node = nodeOf(object)
    if (node === undefined) continue
    const known = nodes.get(node) ?? { count: 0, lost: [] }
    nodes.set(node, known)
    known.count += 1
    if (isBlank(resource, object))
      known.lost.push(keyOf(resource, object.metadata.namespace ?? '', object.metadata.name))
  }
  return [...nodes].flatMap(([node, { count, lost }]) => {
    if (lost.length === 0) return []
    return { node, keys: lost.length > count / 2 ? 'all' : lost }
  })
}

/**
 * Whether a change took away from a status what a node had reported: it was wiped, or the server was put back to an
 * earlier state.
 */
export function hasLost({ before, after }: Pick<CatalogChange, 'before' | 'after'>): boolean {
  if (before === undefined || after === undefined || before.metadata.uid !== after.metadata.uid) return false
  return isOlder(after, before) || [...said(before)].some((what) => !said(after).has(what))
}

/** Whether nothing was ever written here; of a device that has not reported yet, cloudcore itself has had something to say. */
function isBlank(resource: 'pods' | 'devices', object: KubeObject): boolean {
  return said(object).size === 0 && (resource !== 'devices' || conditionsIn(object.status).length === 0)
}

/** What a node has had to say, without the values. */
function said({ status }: KubeObject): Set<string> {
  const twins = twinsIn(status).map(({ propertyName }) => `twin ${propertyName}`)
  const containers =
    Array.isArray(status?.containerStatuses) && status.containerStatuses.length > 0 ? ['containers'] : []
  return new Set([...twins, ...containers])
}

/** Kubernetes' versions are decimal numbers that grow with every write. */
function isOlder(one: KubeObject, other: KubeObject): boolean {
  const [a = '', b = ''] = [one.metadata.resourceVersion, other.metadata.resourceVersion]
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b)
}
