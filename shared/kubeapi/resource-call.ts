import { type Answer, type Call, contentType, jsonAnswer } from './call.ts'
import { collection, single } from './deletions.ts'
import { decodeBody } from './negotiate.ts'
import { get, listed } from './read-call.ts'
import { isReview, review } from './reviews.ts'
import { methodNotAllowed, notFound } from './status.ts'
import { childCall } from './subresources.ts'
import { watchCall } from './watch-call.ts'
import { subjectOf } from './write.ts'
import { created, updated } from './write-call.ts'

/** Answers a request for a resource. Throws a `StatusError`. */
export async function resourceCall(call: Call): Promise<Answer> {
  const { kind, target, verb } = call
  checkPlace(call)
  if (target.subresource !== '') return childCall(call)
  if (!kind.verbs.includes(verb)) throw methodNotAllowed(subjectOf(kind))
  switch (verb) {
    case 'get':
      return get(call)
    case 'list':
      return listed(call)
    case 'watch':
      return watchCall(call)
    case 'create':
      return isReview(kind) ? reviewed(call) : created(call)
    case 'update':
    case 'patch':
      return updated(call)
    case 'delete':
      return single(call)
    case 'deletecollection':
      return collection(call)
    default:
      throw methodNotAllowed(subjectOf(kind))
  }
}

const ofCollections = new Set(['list', 'watch', 'create', 'deletecollection'])

/** A namespace where there is none, none where there must be one, or a verb that does not go with a name or without. */
function checkPlace({ kind, target, verb }: Call): void {
  const { namespace, name, subresource } = target
  if (!kind.namespaced && namespace !== '') throw notFound(subjectOf(kind, name))
  const everywhere = kind.namespaced && namespace === '' && verb !== 'list' && verb !== 'watch'
  const nameless = name === '' && !ofCollections.has(verb)
  const named = name !== '' && verb === 'create' && subresource === ''
  if (everywhere || nameless || named) throw methodNotAllowed(subjectOf(kind))
}

async function reviewed(call: Call): Promise<Answer> {
  const sent = decodeBody(await call.request.body(), contentType(call))
  return jsonAnswer(201, review(call.kind, sent, { user: call.request.user, authorize: call.authorize }))
}
