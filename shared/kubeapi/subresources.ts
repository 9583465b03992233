import { rfc3339 } from '../clock.ts'
import type { KubeObject } from '../objects.ts'
import { terminate } from './lifecycle.ts'
import { decodeBody } from './negotiate.ts'
import { writeOptions } from './request.ts'
import { type Answer, type Call, commit, contentType, get, jsonAnswer, updated } from './resource-call.ts'
import { asObject, type Json } from './schema.ts'
import { badRequest, conflict, methodNotAllowed, notFound, StatusError } from './status.ts'
import { keyOf, subjectOf, type WriteContext } from './write.ts'

/** Answers a request for a subresource. Throws a `StatusError`. */
export async function childCall(call: Call): Promise<Answer> {
  const { kind, target, verb } = call
  const child = kind.subresources.find(({ name }) => name === target.subresource)
  if (child === undefined) throw noSuchChild(call)
  if (!child.verbs.includes(verb)) throw methodNotAllowed(subjectOf(kind, target.name))
  if (verb === 'get') return get(call)
  if (verb === 'create') return created(call)
  return updated(call)
}

function noSuchChild({ kind, target }: Call): StatusError {
  const what = `${kind.plural}/${target.subresource}`
  return new StatusError({
    code: 404,
    reason: 'NotFound',
    message: `the server could not find the requested resource: ${what.slice(0, 128)} is not served here`,
    details: { name: target.name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural },
  })
}

async function created(call: Call): Promise<Answer> {
  const sent = decodeBody(await call.request.body(), contentType(call))
  const options = writeOptions(call.query)
  const { name, subresource } = call.target
  if (subresource === 'binding') {
    await commit(call, options, (context) => bind(context, name, sent))
  } else if (subresource === 'eviction') {
    await commit(call, options, (context) => evict(context, name, sent))
  } else {
    throw methodNotAllowed(subjectOf(call.kind, name))
  }
  return jsonAnswer(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
}

function podOf(context: WriteContext, name: string): KubeObject {
  const entry = context.tx.get(keyOf(context, name))
  if (entry === undefined) throw notFound(subjectOf(context.kind, name))
  return entry.object
}

/** Gives a pod to a node. A pod is bound once. */
function bind(context: WriteContext, name: string, sent: unknown): void {
  const node = asObject(asObject(sent).target).name
  if (typeof node !== 'string' || node === '') throw badRequest('target.name: Required value: the name of a node')
  const pod = podOf(context, name)
  const subject = subjectOf(context.kind, name)
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(subject, `pod ${name} is being deleted, cannot be assigned to a host`)
  }
  if (pod.spec?.nodeName) throw conflict(subject, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`)
  context.tx.put(keyOf(context, name), bound(pod, node, context.now))
}

function bound(pod: KubeObject, nodeName: string, now: number): KubeObject {
  const conditions = (Array.isArray(pod.status?.conditions) ? pod.status.conditions : []) as Json[]
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: rfc3339(now) }
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(pod.metadata.generation === undefined ? {} : { generation: pod.metadata.generation + 1 }),
    },
    spec: { ...pod.spec, nodeName },
    status: {
      ...pod.status,
      conditions: [...conditions.filter(({ type }) => type !== 'PodScheduled'), scheduled],
    },
  }
}

/** Deletes a pod, as `kubectl drain` asks for it. There are no disruption budgets that could forbid it. */
function evict(context: WriteContext, name: string, sent: unknown): void {
  podOf(context, name)
  const entry = context.tx.get(keyOf(context, name))
  const grace = asObject(asObject(sent).deleteOptions).gracePeriodSeconds
  if (entry !== undefined)
    terminate(context, entry, { gracePeriodSeconds: typeof grace === 'number' ? grace : undefined })
}
