import { type Cause, invalid as invalidField, sumUp } from './causes.ts'

/** What the API is asked about, as far as it is known: for the words and details of an error. */
export interface Subject {
  group: string
  /** Plural name; `kind` where the message speaks of the kind. */
  resource: string
  kind?: string
  name?: string
}

/** A `StatusCause` that is not about the content of a field. */
export interface AnyCause {
  reason: string
  message: string
  field?: string
}

interface Failure {
  code: number
  reason: string
  message: string
  details?: Record<string, unknown>
  headers?: Record<string, string>
}

/** A refusal in the form that every Kubernetes client understands: `meta/v1 Status`. */
export class StatusError extends Error {
  override name = 'StatusError'
  readonly code: number
  readonly reason: string
  readonly details: Record<string, unknown> | undefined
  readonly headers: Record<string, string>

  constructor({ code, reason, message, details, headers }: Failure) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
    this.headers = headers ?? {}
  }

  /** The `Status` object. */
  get status(): Record<string, unknown> {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    }
  }
}

/** The `Status` that answers a deletion. */
export function successStatus({ group, resource, name }: Subject, uid: string | undefined): Record<string, unknown> {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(group === '' ? {} : { group }), kind: resource, uid },
  }
}

function qualified({ group, resource }: Subject): string {
  return group === '' ? resource : `${resource}.${group}`
}

function detailsOf({ group, resource, name }: Subject): Record<string, unknown> {
  return { ...(name === undefined ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource }
}

export function notFound(subject: Subject): StatusError {
  return new StatusError({
    code: 404,
    reason: 'NotFound',
    message: `${qualified(subject)} "${subject.name ?? ''}" not found`,
    details: detailsOf(subject),
  })
}

/** No such path, kind or version. */
export function noSuchPath(): StatusError {
  const message = 'the server could not find the requested resource'
  return new StatusError({ code: 404, reason: 'NotFound', message, details: {} })
}

export function alreadyExists(subject: Subject): StatusError {
  return new StatusError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(subject)} "${subject.name ?? ''}" already exists`,
    details: detailsOf(subject),
  })
}

export const modifiedMeanwhile =
  'the object has been modified; please apply your changes to the latest version and try again'

export function conflict(subject: Subject, why: string): StatusError {
  return new StatusError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(subject)} "${subject.name ?? ''}": ${why}`,
    details: detailsOf(subject),
  })
}

export function forbidden(subject: Subject, why: string, causes?: readonly AnyCause[]): StatusError {
  const what = subject.name === undefined ? qualified(subject) : `${qualified(subject)} "${subject.name}"`
  return new StatusError({
    code: 403,
    reason: 'Forbidden',
    message: `${what} is forbidden: ${why}`,
    details: { ...detailsOf(subject), ...(causes === undefined ? {} : { causes }) },
  })
}

/** A validation failed; the causes name the fields. */
export function invalid({ group, kind, resource, name }: Subject, causes: readonly Cause[]): StatusError {
  const shownKind = kind ?? resource
  const title = group === '' ? shownKind : `${shownKind}.${group}`
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: `${title} "${name ?? ''}" is invalid: ${sumUp(causes)}`,
    details: { name, ...(group === '' ? {} : { group }), kind: shownKind, causes },
  })
}

/** A patch leads to what cannot be read as an object of the kind. */
export function invalidPatch(patched: object, why: string): StatusError {
  const causes = [invalidField('patch', JSON.stringify(patched), why)]
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: ` "" is invalid: ${sumUp(causes)}`,
    details: { causes },
  })
}

/** Options in a query or body that make no sense: `kind` is ListOptions, CreateOptions, … */
export function invalidOptions(kind: string, cause: Cause): StatusError {
  return invalid({ group: 'meta.k8s.io', resource: '', kind, name: '' }, [cause])
}

export function badRequest(message: string): StatusError {
  return new StatusError({ code: 400, reason: 'BadRequest', message })
}

export function methodNotAllowed(subject?: Subject): StatusError {
  return new StatusError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: subject === undefined ? {} : detailsOf(subject),
  })
}

export function unauthorized(): StatusError {
  return new StatusError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' })
}

/** The resourceVersion or continue token is older than what is still kept: list again. */
export function expired(message: string): StatusError {
  return new StatusError({ code: 410, reason: 'Expired', message })
}

export function tooLargeVersion(asked: number, current: number): StatusError {
  return new StatusError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${asked}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
    headers: { 'retry-after': '1' },
  })
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  })
}

export function notAcceptable(offered: readonly string[]): StatusError {
  return new StatusError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${offered.join(', ')}`,
  })
}

export function tooLarge(limit: number): StatusError {
  return new StatusError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: limit is ${limit}`,
  })
}

/** What the storage of Kubernetes refuses: code 500, and no reason. */
export function unreasoned(message: string): StatusError {
  return new StatusError({ code: 500, reason: '', message })
}

export function internalError(message: string): StatusError {
  return new StatusError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  })
}
