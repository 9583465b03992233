import { createHash } from 'node:crypto'
import { aggregated, apiVersions, groupDocument, groupList, paths, resourceList } from './discovery.ts'
import { type ApiKind, apiVersionOf } from './kinds.ts'
import { parseAccept } from './negotiate.ts'
import { openApiV2, openApiV3 } from './openapi.ts'
import { encodeOpenApiV2 } from './openapi-protobuf.ts'
import type { Json } from './schema.ts'
import { methodNotAllowed, noSuchPath } from './status.ts'

export interface Document {
  contentType: string
  body: string | Buffer
}

export interface DocumentRequest {
  method: string
  path: string
  accept: string | undefined
  kinds: readonly ApiKind[]
  /** `host:port`, as clients reach the server. */
  address: string
  version: Json
}

/** Answers what is no resource: discovery, OpenAPI, version, health. Throws a `StatusError`. */
export function documentFor(request: DocumentRequest): Document {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed()
  const { path } = request
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return { contentType: 'text/plain; charset=utf-8', body: 'ok' }
  if (path === '/openapi/v2') return openApi2(request)
  const found = jsonFor(request)
  if (found === undefined) throw noSuchPath()
  return found
}

function jsonFor({ path, accept, kinds, address, version }: DocumentRequest): Document | undefined {
  const [, root = '', first = '', second = '', ...more] = path.split('/')
  if (path === '/') return json(paths(kinds))
  if (path === '/version') return json(version)
  if (path === '/api' || path === '/apis') {
    return atOnce(path, accept, kinds) ?? json(root === 'api' ? apiVersions(address) : groupList(kinds))
  }
  if (root === 'api' && second === '') return json(resourceList(kinds, '', first))
  if (root === 'apis' && second === '') return json(groupDocument(kinds, first))
  if (root === 'apis' && more.length === 0) return json(resourceList(kinds, first, second))
  if (path === '/openapi/v3') return json(openApiIndex(kinds))
  if (path.startsWith('/openapi/v3/')) return openApi3(kinds, path.slice('/openapi/v3/'.length))
  return undefined
}

function json(value: Json | undefined): Document | undefined {
  return value === undefined ? undefined : { contentType: 'application/json', body: JSON.stringify(value) }
}

/** Aggregated discovery, for a client that prefers it. */
function atOnce(path: string, accept: string | undefined, kinds: readonly ApiKind[]): Document | undefined {
  for (const { type, parameters } of parseAccept(accept ?? '')) {
    if (type !== 'application/json') continue
    const { as, g, v } = parameters
    if (as === undefined) return undefined
    if (as !== 'APIGroupDiscoveryList' || g !== 'apidiscovery.k8s.io' || (v !== 'v2' && v !== 'v2beta1')) continue
    const contentType = `application/json;g=${g};v=${v};as=${as}`
    return { contentType, body: JSON.stringify(aggregated(kinds, { core: path === '/api', version: v })) }
  }
  return undefined
}

const protobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/** Clients ask with an "@" that may not stand in the answer. */
function wantsProtobuf(accept: string | undefined): boolean {
  const [preferred] = parseAccept(accept ?? '')
  return preferred !== undefined && preferred.type.replace('@', '.') === protobuf
}

function openApi2({ accept, kinds }: DocumentRequest): Document {
  if (wantsProtobuf(accept)) return { contentType: protobuf, body: encodeOpenApiV2(JSON.parse(openApi2Text(kinds))) }
  return { contentType: 'application/json', body: openApi2Text(kinds) }
}

/** Schemas are long: their texts are kept for as long as the kinds stay the same. */
const texts = new WeakMap<readonly ApiKind[], Map<string, string>>()

function kept(kinds: readonly ApiKind[], name: string, make: () => Json): string {
  const known = texts.get(kinds) ?? new Map<string, string>()
  texts.set(kinds, known)
  const text = known.get(name) ?? JSON.stringify(make())
  known.set(name, text)
  return text
}

function openApi2Text(kinds: readonly ApiKind[]): string {
  return kept(kinds, 'v2', () => openApiV2(kinds))
}

function openApi3Text(kinds: readonly ApiKind[], apiVersion: string): string {
  return kept(kinds, apiVersion, () => openApiV3(kinds.filter((kind) => apiVersionOf(kind) === apiVersion)))
}

function openApi3(kinds: readonly ApiKind[], path: string): Document | undefined {
  const apiVersion = kinds.map(apiVersionOf).find((one) => pathOf(one) === path)
  return apiVersion === undefined
    ? undefined
    : { contentType: 'application/json', body: openApi3Text(kinds, apiVersion) }
}

function pathOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`
}

/** Each URL names its content, so that clients may keep what they have. */
function openApiIndex(kinds: readonly ApiKind[]): Json {
  const index: Json = {}
  for (const apiVersion of new Set(kinds.map(apiVersionOf))) {
    const hash = createHash('sha256').update(openApi3Text(kinds, apiVersion)).digest('hex').slice(0, 32).toUpperCase()
    index[pathOf(apiVersion)] = { serverRelativeURL: `/openapi/v3/${pathOf(apiVersion)}?hash=${hash}` }
  }
  return { paths: index }
}
