import { forbidden, invalid, notSupported, tooLong } from './causes.ts'
import { badRequest, invalidOptions } from './status.ts'

/** What a URL of the API names. */
export type Target =
  | ResourceTarget
  /** Everything else: discovery, health, version, OpenAPI. */
  | { is: 'other'; path: string }

export interface ResourceTarget {
  is: 'resource'
  /** Empty for the core group. */
  group: string
  version: string
  /** Plural name. */
  resource: string
  /** Empty when the URL names none. */
  namespace: string
  /** Empty when the URL names a collection. */
  name: string
  /** Empty when the URL names none. */
  subresource: string
  /** The deprecated `/watch/` prefix: a watch without `?watch=1`. */
  watch: boolean
}

const namespaceSubresources = new Set(['status', 'finalize'])

/**
 * Reads a path as Kubernetes does: `/api/v1/namespaces/NS/pods/NAME/status`, `/apis/GROUP/VERSION/RESOURCE`.
 * Throws a 400 `StatusError` on a path that cannot be decoded.
 */
export function parseTarget(path: string): Target {
  const parts = path.split('/').filter((part) => part !== '')
  const rest = groupVersion(parts)
  if (rest === undefined || rest.after.length === 0) return { is: 'other', path: `/${parts.join('/')}` }
  const { group, version } = rest
  const watch = rest.after[0] === 'watch' && rest.after.length > 1
  const after = (watch ? rest.after.slice(1) : rest.after).map(decode)
  const scope = scopeOf(after)
  if (scope.parts.length > 3) return { is: 'other', path: `/${parts.join('/')}` }
  const [resource = '', name = '', subresource = ''] = scope.parts
  return { is: 'resource', group, version, resource, namespace: scope.namespace, name, subresource, watch }
}

function groupVersion(parts: string[]): { group: string; version: string; after: string[] } | undefined {
  const [root, first, second, ...more] = parts
  if (root === 'api' && first !== undefined) {
    return { group: '', version: first, after: second === undefined ? [] : [second, ...more] }
  }
  if (root === 'apis' && first !== undefined && second !== undefined) {
    return { group: first, version: second, after: more }
  }
  return undefined
}

/** `namespaces/x/status` speaks of the namespace x, `namespaces/x/pods` of pods in it. */
function scopeOf(parts: string[]): { namespace: string; parts: string[] } {
  const [first, namespace, third] = parts
  if (first !== 'namespaces' || namespace === undefined || third === undefined) return { namespace: '', parts }
  if (parts.length === 3 && namespaceSubresources.has(third)) return { namespace: '', parts }
  return { namespace, parts: parts.slice(2) }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw badRequest(`the path segment ${JSON.stringify(part.slice(0, 64))} is not valid percent-encoding`)
  }
}

export interface ListOptions {
  watch: boolean
  labelSelector: string
  fieldSelector: string
  /** As sent; empty when missing. */
  resourceVersion: string
  resourceVersionMatch: string
  /** 0 for no limit, which negative ones mean as well. */
  limit: number
  continue: string
  allowWatchBookmarks: boolean
  /** Undefined when the client did not say. */
  sendInitialEvents: boolean | undefined
  /** Seconds; 0 for the server's choice. */
  timeoutSeconds: number
}

/** Reads the query of a list or watch. Throws a 400 `StatusError` naming the parameter. */
export function listOptions(query: URLSearchParams): ListOptions {
  const options = {
    watch: bool(query, 'watch'),
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    limit: Math.max(0, int(query, 'limit')),
    continue: query.get('continue') ?? '',
    allowWatchBookmarks: bool(query, 'allowWatchBookmarks'),
    sendInitialEvents: query.has('sendInitialEvents') ? bool(query, 'sendInitialEvents') : undefined,
    timeoutSeconds: Math.max(0, int(query, 'timeoutSeconds')),
  }
  checkVersions(options)
  return options
}

function checkVersions(options: ListOptions): void {
  const { resourceVersion, resourceVersionMatch: match } = options
  if (!/^\d{0,15}$/.test(resourceVersion)) {
    throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(resourceVersion)}: must be a decimal number`)
  }
  if (match === '') return
  const refuse = (detail: string) =>
    invalidOptions('ListOptions', forbidden('resourceVersionMatch', `resourceVersionMatch ${detail}`))
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalidOptions('ListOptions', notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
  }
  if (options.continue !== '') throw refuse('is forbidden when continue is provided')
  if (options.watch && options.sendInitialEvents === undefined) {
    throw refuse('is forbidden for watch unless sendInitialEvents is provided')
  }
  if (resourceVersion === '' && !options.watch) throw refuse('is forbidden unless resourceVersion is provided')
  if (match === 'Exact' && resourceVersion === '0') throw refuse('"Exact" is forbidden for resourceVersion "0"')
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

export interface WriteOptions {
  dryRun: boolean
  fieldValidation: FieldValidation
  fieldManager: string
}

/** Reads the query of a create, update or patch. Throws a 400 `StatusError` naming the parameter. */
export function writeOptions(query: URLSearchParams): WriteOptions {
  const validation = query.get('fieldValidation') ?? ''
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(validation)) {
    const cause = notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn'])
    throw invalidOptions('WriteOptions', cause)
  }
  const fieldManager = query.get('fieldManager') ?? ''
  checkManager(fieldManager)
  return {
    dryRun: dryRun(query.getAll('dryRun')),
    fieldValidation: validation === '' ? 'Warn' : (validation as FieldValidation),
    fieldManager,
  }
}

const longestManager = 128

function checkManager(name: string): void {
  if (Buffer.byteLength(name) > longestManager) {
    throw invalidOptions('WriteOptions', tooLong('fieldManager', longestManager))
  }
  if (!/\p{C}/u.test(name)) return
  throw invalidOptions('WriteOptions', invalid('fieldManager', name, 'should only contain printable characters'))
}

/** Whether a request only asks what would happen. The one stage is "All". */
export function dryRun(values: readonly string[]): boolean {
  for (const value of values) {
    if (value !== 'All' && value !== '') {
      throw invalidOptions('WriteOptions', notSupported('dryRun', value, ['All']))
    }
  }
  return values.includes('All')
}

/** Kubernetes reads `?watch`, `?watch=1`, `?watch=true`; and `0`, `false` as no. */
function bool(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  if (value === null) return false
  return value !== '0' && value.toLowerCase() !== 'false'
}

/** An integer of a query; 0 when it says none. Throws a 400 `StatusError`. */
export function int(query: URLSearchParams, name: string): number {
  const value = query.get(name) ?? ''
  if (value === '') return 0
  if (!/^-?\d{1,15}$/.test(value)) throw badRequest(`${name}: Invalid value: ${JSON.stringify(value)}: not an integer`)
  return Number(value)
}
