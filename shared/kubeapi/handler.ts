import { explain } from '../errors.ts'
import { type Attributes, denied, type User } from './access.ts'
import { type Answer, type ApiRequest, type Call, type HandlerOptions, jsonAnswer, warningHeaders } from './call.ts'
import { documentFor } from './documents.ts'
import { actingUser } from './impersonation.ts'
import { parseTarget, type ResourceTarget } from './request.ts'
import { resourceCall } from './resource-call.ts'
import { internalError, methodNotAllowed, noSuchPath, StatusError } from './status.ts'

/** Answers requests by the Kubernetes conventions. Whatever comes in, what goes out is an answer or a `Status`. */
export function createHandler(options: HandlerOptions): (request: ApiRequest) => Promise<Answer> {
  return async (request) => {
    const started = options.clock.monotonic()
    const answer = await acting(options, request).catch((error: unknown) => refusal(options, request, error))
    logAccess(options, request, answer, started)
    return answer
  }
}

async function acting(options: HandlerOptions, request: ApiRequest): Promise<Answer> {
  return route(options, { ...request, user: actingUser(request, options.authorize) })
}

async function route(options: HandlerOptions, request: ApiRequest): Promise<Answer> {
  const { path, query } = splitUrl(request.url)
  const target = parseTarget(path)
  if (target.is === 'other') return document(options, request, target.path)
  const verb = verbOf(request.method, target, query)
  check(options, request.user, { ...target, verb, fields: query.get('fieldSelector') ?? '', path: '' })
  const kind = options.registry.find(target.group, target.version, target.resource)
  if (kind === undefined) throw noSuchPath()
  const call: Call = { ...options, request, kind, target, verb, query }
  const { deprecated } = kind
  if (deprecated === undefined) return resourceCall(call)
  // A refusal carries the warning too: it may be what says why.
  return warned(await resourceCall(call).catch((error: unknown) => refusal(options, request, error)), deprecated)
}

/** Taken as it is: `..` has no meaning here, and `//` is no host. */
function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const at = url.indexOf('?')
  return at < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) }
}

/** The answer with one more warning. */
function warned(answer: Answer, warning: string): Answer {
  const { warning: others = [], ...headers } = answer.headers
  return { ...answer, headers: { ...headers, warning: [...(warningHeaders([warning]).warning ?? []), ...others] } }
}

function document(options: HandlerOptions, { method, headers, user }: ApiRequest, path: string): Answer {
  const attributes = { group: '', resource: '', subresource: '', namespace: '', name: '', fields: '' }
  check(options, user, { ...attributes, verb: method.toLowerCase(), path })
  const { contentType, body } = documentFor({
    method,
    path,
    accept: header(headers.accept),
    kinds: options.registry.kinds,
    address: options.address(),
    version: options.version,
  })
  return { code: 200, headers: { 'content-type': contentType }, body }
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}

function check({ authorize }: HandlerOptions, user: User, attributes: Attributes): void {
  const verdict = authorize(user, attributes)
  if (!verdict.allowed) throw denied(user, attributes, verdict)
}

/** The verb of Kubernetes that a method means here. Throws a 405 `StatusError`. */
function verbOf(method: string, target: ResourceTarget, query: URLSearchParams): string {
  const collection = target.name === ''
  switch (method) {
    case 'GET': {
      const watch = query.get('watch')
      if (target.watch || (collection && watch !== null && watch !== '0' && watch !== 'false')) return 'watch'
      return collection ? 'list' : 'get'
    }
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return collection ? 'deletecollection' : 'delete'
    default:
      throw methodNotAllowed()
  }
}

/** The `Status` for an error: those made for clients as they are, all others as a 500 that is logged. */
function refusal({ log }: HandlerOptions, request: ApiRequest, error: unknown): Answer {
  if (error instanceof StatusError) return jsonAnswer(error.code, error.status, error.headers)
  log.error({ method: request.method, url: request.url, reason: explain(error) }, 'api request failed')
  const status = internalError(explain(error))
  return jsonAnswer(status.code, status.status)
}

/** Who wrote what is always told; reads only when somebody looks closely. */
function logAccess({ log, clock }: HandlerOptions, request: ApiRequest, answer: Answer, started: number): void {
  const write = request.method !== 'GET' && request.method !== 'HEAD' && !isHeartbeat(request)
  const ms = Math.round((clock.monotonic() - started) * 10) / 10
  const { method, url, user } = request
  const agent = header(request.headers['user-agent'])?.slice(0, 80)
  const as = header(request.headers['impersonate-user'])?.slice(0, 80)
  log[write ? 'info' : 'debug']({ user: user.name, as, method, url, code: answer.code, ms, agent }, 'api')
}

/** The renewal of a Lease: every node, every few seconds. */
function isHeartbeat({ method, url }: ApiRequest): boolean {
  return (method === 'PUT' || method === 'PATCH') && url.includes('/leases/')
}
