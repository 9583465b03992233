import { decodeBody, decodePatch, formOf } from '@kedge/shared/kubeapi/negotiate'
import { describe, expect, it } from 'vitest'

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'

describe('formOf', () => {
  it.each([
    [undefined, { as: 'object' }],
    ['*/*', { as: 'object' }],
    ['application/json', { as: 'object' }],
    ['application/vnd.kubernetes.protobuf,application/json', { as: 'object' }],
    [`${table},application/json`, { as: 'table', version: 'v1' }],
    ['application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json', { as: 'table', version: 'v1beta1' }],
    ['application/json;as=Table;v=v9;g=meta.k8s.io, application/json', { as: 'object' }],
    ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', { as: 'metadata', version: 'v1' }],
    [`application/json;q=0.5,${table}`, { as: 'table', version: 'v1' }],
  ])('%s', (accept, expected) => {
    expect(formOf(accept)).toEqual(expected)
  })

  it('refuses what it cannot give', () => {
    expect(() => formOf('application/vnd.kubernetes.protobuf')).toThrow(/only the following media types/)
  })
})

describe('bodies', () => {
  it('reads JSON and YAML', () => {
    expect(decodeBody(Buffer.from('{"a":1}'), 'application/json; charset=utf-8')).toEqual({ a: 1 })
    expect(decodeBody(Buffer.from('a: 1\n'), 'application/yaml')).toEqual({ a: 1 })
  })

  it('refuses other types, and server-side apply', () => {
    expect(() => decodeBody(Buffer.from('x'), 'application/cbor')).toThrow(/unknown format/)
    expect(() => decodePatch(Buffer.from('{}'), 'application/apply-patch+yaml')).toThrow(/accepted media types/)
  })

  it.each(['', '{', 'nul', '{"__proto__": {"a": 1}}'])('refuses %s as JSON', (text) => {
    expect(() => decodeBody(Buffer.from(text), 'application/json')).toThrow()
  })
})
