import * as z from 'zod'
import type { KubeObject } from '../objects.ts'
import { notSupported } from './causes.ts'
import { fromStorage } from './convert.ts'
import { terminate } from './lifecycle.ts'
import { int } from './request.ts'
import { asObject } from './schema.ts'
import { badRequest, conflict, forbidden, invalidOptions, notFound, successStatus } from './status.ts'
import type { Entry } from './storage.ts'
import { keyOf, subjectOf, type WriteContext } from './write.ts'

const policies = ['Foreground', 'Background', 'Orphan'] as const

/** The body of a DELETE. Owners have no dependants here, so every propagation policy means the same. */
export const DeleteOptions = z.object({
  kind: z.literal('DeleteOptions').nullish(),
  gracePeriodSeconds: z.int().nullish(),
  orphanDependents: z.boolean().nullish(),
  propagationPolicy: z.enum(policies).nullish(),
  preconditions: z.object({ uid: z.string().nullish(), resourceVersion: z.string().nullish() }).nullish(),
  dryRun: z.array(z.string()).nullish(),
})
export type DeleteOptions = z.infer<typeof DeleteOptions>

/** Reads the options of a deletion from the body, or from the query when there is none. Throws a `StatusError`: 400, 422. */
export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const given = asObject(body ?? fromQuery(query))
  const parsed = DeleteOptions.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.join('.') ?? ''
  if (field === 'propagationPolicy' && typeof given.propagationPolicy === 'string') {
    throw invalidOptions('DeleteOptions', notSupported(field, given.propagationPolicy, policies))
  }
  throw badRequest(`DeleteOptions: ${field}: ${issue?.message ?? ''}`)
}

function fromQuery(query: URLSearchParams): Record<string, unknown> {
  const grace = query.get('gracePeriodSeconds')
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: int(query, 'gracePeriodSeconds') }),
    ...(query.has('propagationPolicy') ? { propagationPolicy: query.get('propagationPolicy') } : {}),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  }
}

/** Deletes one object. Answers the object while it lingers, and for kinds that Kubernetes answers so. */
export function remove(context: WriteContext, name: string, options: DeleteOptions): { body: object; gone: boolean } {
  const { tx, kind } = context
  const entry = tx.get(keyOf(context, name))
  if (entry === undefined) throw notFound(subjectOf(kind, name))
  checkPreconditions(kind, entry.object, options)
  checkAllowed(kind, name)
  const { gone, object } = terminate(context, entry, { gracePeriodSeconds: options.gracePeriodSeconds ?? undefined })
  const whole = !gone || answersObject.has(kind.storage)
  return { gone, body: whole ? fromStorage(kind, object) : successStatus(subjectOf(kind, name), object.metadata.uid) }
}

const answersObject = new Set(['pods', 'namespaces', 'serviceaccounts'])

/** Deletes those of `selected` that are still there; another object that took the name of one stays. */
export function removeAll(context: WriteContext, selected: readonly Entry[], options: DeleteOptions): KubeObject[] {
  const grace = { gracePeriodSeconds: options.gracePeriodSeconds ?? undefined }
  const objects: KubeObject[] = []
  for (const { resource, namespace, name, object } of selected) {
    const entry = context.tx.get({ resource, namespace, name })
    if (entry !== undefined && entry.object.metadata.uid === object.metadata.uid)
      objects.push(fromStorage(context.kind, terminate(context, entry, grace).object))
  }
  return objects
}

function checkPreconditions(kind: WriteContext['kind'], object: KubeObject, { preconditions }: DeleteOptions): void {
  const subject = subjectOf(kind, object.metadata.name)
  const { uid, resourceVersion } = object.metadata
  if (preconditions?.uid && preconditions.uid !== uid) {
    const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`
    throw conflict(subject, why)
  }
  if (preconditions?.resourceVersion && preconditions.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`
    throw conflict(subject, why)
  }
}

/** The namespaces that every cluster has. */
export const permanentNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

function checkAllowed(kind: WriteContext['kind'], name: string): void {
  if (kind.storage !== 'namespaces' || !permanentNamespaces.includes(name)) return
  throw forbidden(subjectOf(kind, name), 'this namespace may not be deleted')
}
