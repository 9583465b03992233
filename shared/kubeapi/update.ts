import { canonical } from '../canonical.ts'
import { rfc3339 } from '../clock.ts'
import type { KubeObject } from '../objects.ts'
import { invalid as invalidField } from './causes.ts'
import { fromStorage, toStorage } from './convert.ts'
import { create, finished } from './create.ts'
import { settle } from './lifecycle.ts'
import { badRequest, conflict, invalid, modifiedMeanwhile, notFound } from './status.ts'
import { admit } from './validate.ts'
import { acceptOrThrow, type Draft, keyOf, subjectOf, toDraft, type WriteContext, type Written } from './write.ts'

export interface Update {
  name: string
  /** Empty for the object itself. */
  subresource: string
  /** What the client wants of the stored object: the body of a PUT, or the object patched. */
  change: (old: KubeObject) => unknown
  /** A body without resourceVersion is a fault for some kinds; a patch never is. */
  patch: boolean
}

/** Replaces or patches an object. Throws a `StatusError`. A write that changes nothing is none. */
export function update(context: WriteContext, { name, subresource, change, patch }: Update): Written {
  const { tx, kind } = context
  const key = keyOf(context, name)
  const entry = tx.get(key)
  if (entry === undefined) return createdInstead(context, { name, subresource, change, patch })
  const old = fromStorage(kind, entry.object)
  const draft = toDraft(context, change(old))
  checkIdentity(kind, old, draft, patch)
  const { object, warnings } = acceptOrThrow(
    context,
    admit({
      kind,
      operation: 'update',
      ...(subresource === '' ? {} : { subresource }),
      object: draft,
      old,
      now: rfc3339(context.now),
    }),
    patch ? draft : undefined,
  )
  const next = finished(context, toStorage(kind, object))
  if (sameContent(next, entry.object)) return { code: 200, object: old, warnings }
  const stored = settle(context, key, next)
  return { code: 200, object: fromStorage(kind, stored), warnings }
}

type Kind = WriteContext['kind']

/** Kinds that whoever reports replaces without asking whether they are there. */
const createdByUpdate = new Set(['events', 'leases.coordination.k8s.io'])

function createdInstead(context: WriteContext, { name, subresource, change, patch }: Update): Written {
  const { kind } = context
  const missing = notFound(subjectOf(kind, name))
  if (patch || subresource !== '' || !createdByUpdate.has(kind.storage)) throw missing
  const sent = change({ metadata: { name } })
  const { metadata } = toDraft(context, sent)
  checkName(metadata.name, name)
  if (metadata.resourceVersion || metadata.uid) throw missing
  return create(context, sent)
}

function checkIdentity(kind: Kind, old: KubeObject, { metadata }: Draft, patch: boolean): void {
  const { name, uid, resourceVersion } = metadata
  const subject = subjectOf(kind, old.metadata.name)
  checkName(name, old.metadata.name)
  if (uid && uid !== old.metadata.uid) {
    throw conflict(subject, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`)
  }
  if (!resourceVersion) {
    if (patch || !needsVersion(kind)) return
    throw invalid(subject, [invalidField('metadata.resourceVersion', 0, 'must be specified for an update')])
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw conflict(subject, modifiedMeanwhile)
}

export function checkName(name: unknown, onUrl: string): void {
  if (name === onUrl) return
  throw badRequest(`the name of the object (${name ?? ''}) does not match the name on the URL (${onUrl})`)
}

/** Kinds that Kubernetes does not let anyone overwrite unseen. */
function needsVersion(kind: Kind): boolean {
  return kind.custom || kind.kind === 'Lease' || kind.kind === 'CustomResourceDefinition'
}

/** Equal in everything but the resourceVersion. */
function sameContent(a: KubeObject, b: KubeObject): boolean {
  const bare = (object: KubeObject) => canonical({ ...object, metadata: { ...object.metadata, resourceVersion: '' } })
  return bare(a) === bare(b)
}
