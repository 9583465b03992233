import { asArray, asObject, isObject, type Json } from './schema.ts'

/**
 * The OpenAPI v2 document in the protobuf form of gnostic's `OpenAPIv2.proto`, which is the only one that kubectl up to
 * 1.26 reads: for `explain`, for validation at the client, and for knowing what can be done as a dry run. What it does not
 * look at is left out.
 */
export function encodeOpenApiV2(document: Json): Buffer {
  const info = asObject(document.info)
  return Buffer.concat([
    text(1, document.swagger),
    nested(2, [text(1, info.title), text(2, info.version)]),
    nested(
      8,
      Object.entries(asObject(document.paths)).map(([path, item]) => named(2, path, pathItem(asObject(item)))),
    ),
    nested(
      9,
      Object.entries(asObject(document.definitions)).map(([name, one]) => named(1, name, schema(asObject(one)))),
    ),
  ])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.from([...bytes, rest])
}

const empty = Buffer.alloc(0)

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value])
}

function text(field: number, value: unknown): Buffer {
  return typeof value === 'string' && value !== '' ? bytes(field, Buffer.from(value)) : empty
}

function nested(field: number, parts: Buffer[]): Buffer {
  return bytes(field, Buffer.concat(parts))
}

/** `NamedSchema`, `NamedPathItem`, `NamedAny`: a name and a value. */
function named(field: number, name: string, value: Buffer): Buffer {
  return nested(field, [text(1, name), bytes(2, value)])
}

/** Extensions stand in YAML, of which JSON is a part. */
function extensions(field: number, of: Json): Buffer[] {
  return Object.entries(of)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => named(field, name, text(2, JSON.stringify(value))))
}

function pathItem(item: Json): Buffer {
  return isObject(item.patch) ? bytes(8, operation(item.patch)) : empty
}

function operation(of: Json): Buffer {
  const query = asArray(of.parameters)
    .map(asObject)
    .filter((parameter) => parameter.in === 'query')
  return Buffer.concat([
    text(5, of.operationId),
    // ParametersItem.parameter, Parameter.nonBodyParameter, NonBodyParameter.queryParameterSubSchema
    ...query.map((parameter) =>
      nested(8, [nested(1, [nested(2, [nested(3, [text(2, 'query'), text(4, parameter.name), text(6, 'string')])])])]),
    ),
    ...extensions(13, of),
  ])
}

function schema(of: Json): Buffer {
  const [only, ...others] = asArray(of.allOf).map(asObject)
  // A reference with a description beside it.
  const ref = of.$ref ?? (others.length === 0 ? only?.$ref : undefined)
  // The readers take properties for all there are.
  const open = of['x-kubernetes-preserve-unknown-fields'] === true
  return Buffer.concat([
    text(1, ref),
    text(2, of.format),
    text(4, of.description),
    ...(open ? [] : asArray(of.required).map((name) => text(19, name))),
    isObject(of.additionalProperties) ? nested(21, [bytes(1, schema(of.additionalProperties))]) : empty,
    typeof of.type === 'string' && ref === undefined ? nested(22, [text(1, of.type)]) : empty,
    isObject(of.items) ? nested(23, [bytes(1, schema(of.items))]) : empty,
    open || !isObject(of.properties) ? empty : properties(of.properties),
    ...extensions(31, of),
  ])
}

function properties(of: Json): Buffer {
  return nested(
    25,
    Object.entries(of).map(([name, one]) => named(1, name, schema(asObject(one)))),
  )
}
