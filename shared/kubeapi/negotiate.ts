import { parseDocument, parse as parseYaml } from 'yaml'
import { explain } from '../errors.ts'
import { duplicateFields } from './json-duplicates.ts'
import { decodeProtobuf } from './protobuf.ts'
import { messages } from './protobuf-messages.ts'
import { badRequest, notAcceptable, unsupportedMediaType } from './status.ts'

/** In which form an answer goes out. */
export type Form =
  | { as: 'object' }
  /** `meta.k8s.io/v1` Table: what kubectl prints. */
  | { as: 'table'; version: string }
  /** `PartialObjectMetadata` and its list. */
  | { as: 'metadata'; version: string }

export interface MediaType {
  type: string
  parameters: Record<string, string>
}

/** The media types of an Accept header, the preferred first. */
export function parseAccept(header: string): MediaType[] {
  const types = header
    .split(',')
    .map((part) => parseMediaType(part))
    .filter(({ type }) => type !== '')
  const weight = ({ parameters }: MediaType) => Number(parameters.q ?? '1')
  return types
    .map((type, index) => ({ type, index }))
    .sort((a, b) => weight(b.type) - weight(a.type) || a.index - b.index)
    .map(({ type }) => type)
}

export function parseMediaType(text: string): MediaType {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim())
  const parameters: Record<string, string> = Object.create(null)
  for (const parameter of rest) {
    const at = parameter.indexOf('=')
    if (at > 0) parameters[parameter.slice(0, at).toLowerCase()] = parameter.slice(at + 1).replaceAll('"', '')
  }
  return { type: type.toLowerCase(), parameters }
}

const offered = ['application/json']

/** The first accepted form that this server can give. Throws a 406 `StatusError` when there is none. */
export function formOf(accept: string | undefined): Form {
  if (accept === undefined || accept.trim() === '') return { as: 'object' }
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue
    const { as, g, v = 'v1' } = parameters
    if (as === undefined) return { as: 'object' }
    if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) continue
    if (as === 'Table') return { as: 'table', version: v }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { as: 'metadata', version: v }
  }
  throw notAcceptable(offered)
}

const protobufType = 'application/vnd.kubernetes.protobuf'
const bodyTypes = ['application/json', 'application/yaml']

/**
 * The content of a body: JSON, YAML, or protobuf of the kinds in `messages`. Throws a `StatusError`: 415 for another
 * media type (server-side apply's among them), 400 for what does not parse.
 */
export function decodeBody(body: Buffer, contentType: string | undefined): unknown {
  const type = contentType === undefined ? 'application/json' : parseMediaType(contentType).type
  if (type === 'application/yaml') return yaml(body)
  if (type === protobufType) return protobuf(body)
  if (type === 'application/json' || type === '' || type === '*/*') return json(body)
  throw unsupportedMediaType(bodyTypes)
}

/**
 * What a body says twice, for `fieldValidation`: the last one counts. In the words of Kubernetes; empty for a body that
 * does not parse, and for protobuf, which cannot.
 */
export function doubledFields(body: Buffer, contentType: string | undefined): string[] {
  const type = contentType === undefined ? '' : parseMediaType(contentType).type
  const content = body.toString('utf8')
  if (type === 'application/yaml') return doubledInYaml(content)
  if (type === protobufType) return []
  const what = type === 'application/json-patch+json' ? 'json patch duplicate field' : 'duplicate field'
  return duplicateFields(content).map((path) => `${what} ${JSON.stringify(path)}`)
}

function doubledInYaml(content: string): string[] {
  const { errors } = parseDocument(content)
  return errors
    .filter(({ code }) => code === 'DUPLICATE_KEY')
    .map(({ pos: [at], linePos }) => {
      const key = /^["']?([^"':\s]*)/.exec(content.slice(at))?.[1] ?? ''
      return `line ${linePos?.[0].line ?? 0}: key ${JSON.stringify(key)} already set in map`
    })
}

/** The content of a patch's body; `application/apply-patch+yaml` is not served. */
export function decodePatch(body: Buffer, contentType: string | undefined): { mediaType: string; patch: unknown } {
  const mediaType = parseMediaType(contentType ?? '').type
  if (!patchTypes.includes(mediaType)) throw unsupportedMediaType(patchTypes)
  return { mediaType, patch: json(body) }
}

/** Server-side apply is not among them: clients fall back on a client-side apply. */
export const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]

function json(body: Buffer): unknown {
  if (body.length === 0) throw badRequest('the request has no body')
  try {
    const text = body.toString('utf8')
    const value: unknown = JSON.parse(text)
    if (text.includes('__proto__')) dropPrototype(value)
    return value
  } catch (error) {
    throw badRequest(`the body is not valid JSON: ${explain(error)}`)
  }
}

function protobuf(body: Buffer): unknown {
  let object: unknown
  try {
    object = decodeProtobuf(body, messages)
  } catch (error) {
    throw badRequest(`the body is not valid protobuf: ${explain(error)}`)
  }
  if (object === undefined) throw unsupportedMediaType(bodyTypes)
  return object
}

/** A key named `__proto__` would change the object that it is copied into. No Kubernetes field has this name. */
function dropPrototype(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (Object.hasOwn(value, '__proto__')) throw new Error('the name "__proto__" cannot be used as a key')
  for (const child of Object.values(value)) dropPrototype(child)
}

function yaml(body: Buffer): unknown {
  if (body.length === 0) throw badRequest('the request has no body')
  try {
    const value: unknown = parseYaml(body.toString('utf8'), { maxAliasCount: 100, uniqueKeys: false })
    dropPrototype(value)
    return value
  } catch (error) {
    throw badRequest(`the body is not valid YAML: ${explain(error)}`)
  }
}
