import { rfc3339 } from '../clock.ts'
import type { KubeObject } from '../objects.ts'
import type { ApiKind } from './kinds.ts'
import { asArray } from './schema.ts'
import type { Entry, ListRequest, ObjectKey } from './storage.ts'
import { definitionResource, namespaceKey, type WriteContext } from './write.ts'

/**
 * How objects end. Invariants:
 * - An object with finalizers, or a bound pod within its grace period, is marked with a deletionTimestamp and stays
 *   until the last finalizer is gone and the grace period is zero.
 * - A namespace that is being deleted goes with the last object in it, in the same transaction; a definition likewise.
 * - One transaction deletes at most `atOnce` of the objects that they hold; `emptying.ts` goes on with the others.
 */
export type LifecycleContext = Pick<WriteContext, 'tx' | 'kinds' | 'now'>

/** Objects that one transaction deletes because of what holds them: about 10 ms. */
export const atOnce = 100

/** Stores an updated object, or removes it when this update took away what kept it. Returns the last state. */
export function settle(context: LifecycleContext, key: ObjectKey, next: KubeObject): KubeObject {
  if (!isOver(next) || holdsOthers(context, key)) return context.tx.put(key, next).object
  // The state without its last finalizer is never seen, only the removal of it.
  return end(context, key, next)
}

function isOver({ kind, metadata, spec }: KubeObject): boolean {
  // The finalizer "kubernetes" of a namespace stands for what it holds, which is looked at here.
  const others = kind === 'Namespace' ? asArray(spec?.finalizers).filter((one) => one !== 'kubernetes') : []
  return (
    others.length === 0 &&
    metadata.deletionTimestamp !== undefined &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    (metadata.finalizers ?? []).length === 0
  )
}

function end(context: LifecycleContext, key: ObjectKey, last: KubeObject): KubeObject {
  context.tx.put(key, last)
  const removed = context.tx.remove(key)
  settleParents(context, key)
  return removed?.object ?? last
}

/** A namespace with content, a definition with instances. */
function holdsOthers({ tx, kinds }: LifecycleContext, key: ObjectKey): boolean {
  return contents(kinds, key).some((collection) => tx.list({ ...collection, limit: 1 }).length > 0)
}

/** The collections that lie in a namespace, or the instances of a definition. */
export function contents(
  kinds: readonly ApiKind[],
  { resource, name }: ObjectKey,
): Pick<ListRequest, 'resource' | 'namespace'>[] {
  if (resource === definitionResource) return [{ resource: name }]
  if (resource !== 'namespaces') return []
  const storages = kinds.filter(({ namespaced }) => namespaced).map(({ storage }) => storage)
  return [...new Set(storages)].map((storage) => ({ resource: storage, namespace: name }))
}

/** After the last object of a namespace or definition that is being deleted, that goes as well. */
function settleParents(context: LifecycleContext, { resource, namespace }: ObjectKey): void {
  const parents: ObjectKey[] = [{ resource: definitionResource, namespace: '', name: resource }]
  if (namespace !== '') parents.push(namespaceKey(namespace))
  for (const key of parents) {
    const parent = context.tx.get(key)
    if (parent === undefined || parent.object.metadata.deletionTimestamp === undefined) continue
    // Beside it lies another: the quick answer for all but the last of many.
    if (context.tx.list({ resource, namespace, limit: 1 }).length > 0) return
    if (isOver(parent.object) && !holdsOthers(context, key)) end(context, key, parent.object)
  }
}

export interface Grace {
  /** Seconds, as asked for by the client; the object's own when missing. */
  gracePeriodSeconds?: number | undefined
}

/**
 * Begins, shortens or completes the deletion of an object. `gone` tells whether it is away now; otherwise it waits for
 * its finalizers, its node, or what it holds.
 */
export function terminate(
  context: LifecycleContext,
  entry: Entry,
  grace: Grace,
): { gone: boolean; object: KubeObject } {
  const key: ObjectKey = { resource: entry.resource, namespace: entry.namespace, name: entry.name }
  const old = entry.object
  const seconds = graceOf(old, grace)
  const marked = mark(old, seconds, context.now)
  empty(context, key)
  const now = context.tx.get(key)
  // Emptying a namespace may have ended it already.
  if (now === undefined) return { gone: true, object: marked }
  if (isOver(marked) && !holdsOthers(context, key)) {
    const removed = context.tx.remove(key)
    settleParents(context, key)
    return { gone: true, object: removed?.object ?? marked }
  }
  if (marked === old) return { gone: false, object: old }
  return { gone: false, object: context.tx.put(key, marked).object }
}

/** Pods end on their node, which needs time; nothing else has a grace period. */
function graceOf(object: KubeObject, { gracePeriodSeconds }: Grace): number {
  if (object.kind !== 'Pod') return 0
  const bound = Boolean(object.spec?.nodeName)
  if (!bound || object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed') return 0
  const asked = gracePeriodSeconds ?? Number(object.spec?.terminationGracePeriodSeconds ?? 30)
  return asked < 0 ? 1 : asked
}

/** The object with its deletionTimestamp, which can only come closer; the object itself when nothing changes. */
function mark(object: KubeObject, seconds: number, now: number): KubeObject {
  const { metadata } = object
  const earlier = metadata.deletionTimestamp !== undefined && (metadata.deletionGracePeriodSeconds ?? 0) <= seconds
  if (earlier) return object
  const marked = {
    ...object,
    metadata: {
      ...metadata,
      deletionTimestamp: rfc3339(now + seconds * 1000),
      deletionGracePeriodSeconds: seconds,
      ...(metadata.generation === undefined ? {} : { generation: metadata.generation + 1 }),
    },
  }
  return object.kind === 'Namespace' ? { ...marked, status: { ...object.status, phase: 'Terminating' } } : marked
}

/** Deletes what lies in a namespace, or the instances of a definition, as far as one transaction may. */
function empty(context: LifecycleContext, key: ObjectKey): void {
  let left = atOnce
  for (const collection of contents(context.kinds, key)) {
    const entries = left === 0 ? [] : context.tx.list({ ...collection, limit: left })
    for (const entry of entries) terminate(context, entry, {})
    left -= entries.length
  }
}
