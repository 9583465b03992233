import type { ApiKind } from './kinds.ts'
import { common, type Operation, operationsOf } from './openapi-paths.ts'
import {
  asV2,
  type Definitions,
  defineKind,
  definitionName,
  deleteOptions,
  reference,
  status,
} from './openapi-schemas.ts'
import { asObject, type Json } from './schema.ts'
import { binding } from './schemas-core.ts'

const info = { title: 'Kedge', version: 'v1' }

/** The OpenAPI v3 document of one group-version: what `/openapi/v3/apis/<group>/<version>` answers. */
export function openApiV3(kinds: readonly ApiKind[]): Json {
  const definitions: Definitions = { prefix: '#/components/schemas/', schemas: {} }
  for (const kind of kinds) defineKind(kind, definitions)
  const paths = pathsOf(kinds, (operation) => operationV3(operation, definitions))
  return { openapi: '3.0.0', info, paths, components: { schemas: definitions.schemas } }
}

/** The OpenAPI v2 (Swagger) document of all kinds, as JSON. */
export function openApiV2(kinds: readonly ApiKind[]): Json {
  const definitions: Definitions = { prefix: '#/definitions/', schemas: {} }
  for (const kind of kinds) defineKind(kind, definitions)
  const paths = pathsOf(kinds, (operation) => operationV2(operation, definitions))
  return { swagger: '2.0', info, paths, definitions: asV2(definitions.schemas) }
}

function pathsOf(kinds: readonly ApiKind[], describe: (operation: Operation) => Json): Json {
  const paths: Record<string, Json> = {}
  for (const operation of kinds.flatMap(operationsOf)) {
    paths[operation.path] = { ...asObject(paths[operation.path]), [operation.method]: describe(operation) }
  }
  return paths
}

/** A reference to what an operation takes or gives. */
function ref(what: Operation['answer'] | 'deleteOptions' | 'patch', { kind }: Operation, into: Definitions): Json {
  switch (what) {
    case 'patch':
      return { type: 'object' }
    case 'status':
      return reference(status, into)
    case 'deleteOptions':
      return reference(deleteOptions, into)
    case 'list':
      return { $ref: `${into.prefix}${definitionName(kind)}List` }
    case 'object':
      // The one kind that is only ever sent, never kept.
      if (kind.kind === 'Binding') return reference(binding, into)
      return { $ref: into.prefix + definitionName(kind) }
  }
}

const answers: Record<Operation['method'], string[]> = {
  get: ['200'],
  post: ['200', '201', '202'],
  put: ['200', '201'],
  patch: ['200', '201'],
  delete: ['200', '202'],
}

function operationV3(operation: Operation, into: Definitions): Json {
  const { query, inPath, body, mediaTypes, answer, method } = operation
  const schema = ref(answer, operation, into)
  return {
    ...common(operation),
    parameters: [
      ...inPath.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } })),
      ...query.map(({ name, type, description }) => ({
        name,
        in: 'query',
        description,
        schema: { type, uniqueItems: true },
      })),
    ],
    ...(body === undefined ? {} : { requestBody: { content: contents(mediaTypes, ref(body, operation, into)) } }),
    responses: Object.fromEntries(
      answers[method].map((code) => [code, { description: 'OK', content: contents(['application/json'], schema) }]),
    ),
  }
}

function contents(mediaTypes: readonly string[], schema: Json): Json {
  return Object.fromEntries(mediaTypes.map((type) => [type, { schema }]))
}

function operationV2(operation: Operation, into: Definitions): Json {
  const { query, inPath, body, mediaTypes, answer, method } = operation
  const schema = ref(answer, operation, into)
  return {
    ...common(operation),
    consumes: mediaTypes,
    produces: ['application/json'],
    schemes: ['https'],
    parameters: [
      ...inPath.map((name) => ({ name, in: 'path', required: true, type: 'string', uniqueItems: true })),
      ...query.map(({ name, type, description }) => ({ name, in: 'query', description, type, uniqueItems: true })),
      ...(body === undefined ? [] : [{ name: 'body', in: 'body', schema: ref(body, operation, into) }]),
    ],
    responses: Object.fromEntries(answers[method].map((code) => [code, { description: 'OK', schema }])),
  }
}
