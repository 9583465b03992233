import { type Answer, type Call, renderingOf, text } from './call.ts'
import { list } from './list.ts'
import { renderEntry } from './render.ts'
import { listOptions } from './request.ts'
import { notFound } from './status.ts'
import { keyOf, subjectOf } from './write.ts'

/** Answers a get, of an object or a part of it. Throws a `StatusError`. */
export function get(call: Call): Answer {
  const { storage, kind, target } = call
  const rendering = renderingOf(call)
  const entry = storage.get(keyOf({ kind, namespace: target.namespace }, target.name))
  if (entry === undefined) throw notFound(subjectOf(kind, target.name))
  return text(200, renderEntry(rendering, entry))
}

/** Answers a list. Throws a `StatusError`. */
export function listed(call: Call): Answer {
  const { storage, target, query } = call
  const request = { namespace: target.namespace, options: listOptions(query) }
  return text(200, list(storage, request, renderingOf(call)))
}
