import { rfc3339 } from '../clock.ts'
import type { KubeObject } from '../objects.ts'
import { type Answer, type Call, commit, contentType, jsonAnswer } from './call.ts'
import { terminate } from './lifecycle.ts'
import { decodeBody } from './negotiate.ts'
import { get } from './read-call.ts'
import { writeOptions } from './request.ts'
import { asObject } from './schema.ts'
import { badRequest, methodNotAllowed, notFound, StatusError } from './status.ts'
import { admit } from './validate.ts'
import { acceptOrThrow, keyOf, subjectOf, type WriteContext } from './write.ts'
import { updated } from './write-call.ts'

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

/** Gives a pod to a node. */
function bind(context: WriteContext, name: string, sent: unknown): void {
  if (asObject(asObject(sent).metadata).name !== name)
    throw badRequest('name in URL does not match name in Binding object')
  const { kind, now, tx } = context
  const request = { kind, operation: 'update', subresource: 'binding', object: sent, now: rfc3339(now) } as const
  const { object } = acceptOrThrow(context, admit({ ...request, old: podOf(context, name) }))
  tx.put(keyOf(context, name), object)
}

/** Deletes a pod, as `kubectl drain` asks for it. There are no disruption budgets that could forbid it. */
function evict(context: WriteContext, name: string, sent: unknown): void {
  podOf(context, name)
  const entry = context.tx.get(keyOf(context, name))
  const grace = asObject(asObject(sent).deleteOptions).gracePeriodSeconds
  if (entry !== undefined)
    terminate(context, entry, { gracePeriodSeconds: typeof grace === 'number' ? grace : undefined })
}
