import { encodeOpenApiV2 } from '@kedge/shared/kubeapi/openapi-protobuf'
import { decodeMessage, decodeProtobuf, type Message } from '@kedge/shared/kubeapi/protobuf'
import { messages } from '@kedge/shared/kubeapi/protobuf-messages'
import { describe, expect, it } from 'vitest'

/** What kubectl 1.32 sends for `create configmap a --from-literal=x=1`. */
const configMap = Buffer.from(
  '6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a01611200' +
    '1a0022002a0032003800420012060a0178120131' +
    '1a002200',
  'hex',
)

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  const typeMeta = Buffer.concat([field(1, Buffer.from(apiVersion)), field(2, Buffer.from(kind))])
  return Buffer.concat([Buffer.from('k8s\0'), field(1, typeMeta), field(2, raw)])
}

describe('protobuf bodies', () => {
  it('become the JSON that they stand for', () => {
    expect(decodeProtobuf(configMap, messages)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a' },
      data: { x: '1' },
    })
  })

  it('keep bytes as base64, times as RFC 3339, zeros that count, and empty values of maps', () => {
    const entry = Buffer.concat([field(1, Buffer.from('k')), field(2, Buffer.alloc(0))])
    const secret = envelope('v1', 'Secret', Buffer.concat([field(2, entry), field(3, Buffer.from('Opaque'))]))
    expect(decodeProtobuf(secret, messages)).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      data: { k: '' },
      type: 'Opaque',
    })
    const options = envelope('v1', 'DeleteOptions', Buffer.from([0x08, 0x00]))
    expect(decodeProtobuf(options, messages)).toMatchObject({ gracePeriodSeconds: 0 })
    const seconds = Buffer.from([0x08, 0x80, 0xa3, 0x05, 0x10, 0x80, 0x89, 0x7a])
    const spec = Buffer.concat([field(4, seconds), field(1, Buffer.from('me'))])
    const lease = envelope('coordination.k8s.io/v1', 'Lease', field(2, spec))
    expect(decodeProtobuf(lease, messages)).toMatchObject({
      spec: { holderIdentity: 'me', renewTime: '1970-01-02T00:00:00.002000Z' },
    })
  })

  it('of an unknown kind are undefined', () => {
    expect(decodeProtobuf(envelope('v1', 'Pod', Buffer.alloc(0)), messages)).toBeUndefined()
  })

  it.each([
    ['{}', /does not begin/],
    ['k8s\0\x0a\xff', /ends early/],
    ['k8s\0\x0f', /wire type/],
  ])('refuse %j', (text, message) => {
    expect(() => decodeProtobuf(Buffer.from(text, 'latin1'), messages)).toThrow(message)
  })
})

describe('the OpenAPI document', () => {
  it('has what kubectl reads of it, by gnostic field numbers', () => {
    const bytes = encodeOpenApiV2({
      swagger: '2.0',
      info: { title: 'Kedge', version: '1' },
      paths: { '/p': { patch: { operationId: 'op', parameters: [{ in: 'query', name: 'dryRun' }] } } },
      definitions: {
        Pod: {
          type: 'object',
          required: ['spec'],
          properties: { spec: { allOf: [{ $ref: '#/definitions/Spec' }], description: 'What it should be' } },
          'x-kubernetes-group-version-kind': [{ group: '', kind: 'Pod', version: 'v1' }],
        },
      },
    })
    const named = (value: Message): Message => ({ 1: ['name', 'string'], 2: ['value', { message: value }] })
    const reference: Message = { 1: ['ref', 'string'], 4: ['description', 'string'] }
    const schema: Message = {
      19: ['required', { list: 'string' }],
      22: ['type', { message: { 1: ['value', 'string'] } }],
      25: ['properties', { message: { 1: ['list', { list: { message: named(reference) } }] } }],
      31: ['extensions', { list: { message: named({ 2: ['yaml', 'string'] }) } }],
    }
    const document = decodeMessage(bytes, {
      1: ['swagger', 'string'],
      9: ['definitions', { message: { 1: ['list', { list: { message: named(schema) } }] } }],
    })
    expect(document).toEqual({
      swagger: '2.0',
      definitions: {
        list: [
          {
            name: 'Pod',
            value: {
              required: ['spec'],
              type: { value: 'object' },
              properties: {
                list: [{ name: 'spec', value: { ref: '#/definitions/Spec', description: 'What it should be' } }],
              },
              extensions: [
                {
                  name: 'x-kubernetes-group-version-kind',
                  value: { yaml: '[{"group":"","kind":"Pod","version":"v1"}]' },
                },
              ],
            },
          },
        ],
      },
    })
  })
})
