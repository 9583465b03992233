import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { type ApiKind, apiVersionOf } from '@kedge/shared/kubeapi/kinds'
import { openApiV2, openApiV3 } from '@kedge/shared/kubeapi/openapi'
import { asObject, isObject, type Json } from '@kedge/shared/kubeapi/schema'
import { describe, expect, it } from 'vitest'
import { deviceKind } from '../../../support/kinds.ts'

const kinds: ApiKind[] = [...builtIns, deviceKind('Device'), deviceKind('DeviceModel')]
const versions = [...new Set(kinds.map(apiVersionOf))]
const documentOf = (apiVersion: string) =>
  openApiV3(kinds.filter((kind) => apiVersionOf(kind) === apiVersion)) as unknown as Document

/** The media types that an operation takes. */
function mediaTypes(operation: Json | undefined): string[] {
  return Object.keys(asObject(asObject(operation?.requestBody).content))
}

interface Document {
  paths: Record<string, Record<string, Json>>
  components: { schemas: Record<string, Json> }
}

function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references)
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([word, inner]) => (word === '$ref' ? [String(inner)] : references(inner)))
}

describe('OpenAPI v3', () => {
  it.each(versions)('of %s refers only to what it defines', (apiVersion) => {
    const document = documentOf(apiVersion)
    const defined = new Set(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`))
    for (const ref of references(document)) expect(defined).toContain(ref)
  })

  it.each(versions)('of %s has the kind, and fieldValidation, where kubectl looks for them', (apiVersion) => {
    const { paths, components } = documentOf(apiVersion)
    for (const { group, version, kind, plural, namespaced } of kinds.filter(
      (one) => apiVersionOf(one) === apiVersion,
    )) {
      const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
      const path = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`
      const gvk = { group, version, kind }
      expect(paths[path]?.get?.['x-kubernetes-group-version-kind']).toEqual(gvk)
      const patch = paths[`${path}/{name}`]?.patch
      expect(patch?.['x-kubernetes-group-version-kind']).toEqual(gvk)
      expect(patch?.parameters).toContainEqual(expect.objectContaining({ name: 'fieldValidation', in: 'query' }))
      const schemas = Object.values(components.schemas).filter((schema) =>
        JSON.stringify(schema['x-kubernetes-group-version-kind'] ?? []).includes(`"kind":"${kind}","`),
      )
      expect(schemas).toHaveLength(1)
    }
  })

  it('names operations once', () => {
    for (const apiVersion of versions) {
      const ids = Object.values(documentOf(apiVersion).paths).flatMap((path) =>
        Object.values(path).map((one) => one.operationId),
      )
      expect(new Set(ids).size).toBe(ids.length)
    }
  })

  it('has subresources and what they take', () => {
    const { paths } = documentOf('v1')
    const pod = '/api/v1/namespaces/{namespace}/pods/{name}'
    expect(Object.keys(paths[`${pod}/status`] ?? {}).sort()).toEqual(['get', 'patch', 'put'])
    expect(paths[`${pod}/binding`]?.post?.['x-kubernetes-group-version-kind']).toEqual({
      group: '',
      version: 'v1',
      kind: 'Binding',
    })
    expect(mediaTypes(paths[pod]?.patch)).toContain('application/strategic-merge-patch+json')
    const device =
      documentOf('devices.kubeedge.io/v1beta1').paths[
        '/apis/devices.kubeedge.io/v1beta1/namespaces/{namespace}/devices/{name}'
      ]
    expect(mediaTypes(device?.patch)).not.toContain('application/strategic-merge-patch+json')
  })

  it('keeps descriptions with the fields, so that explain shows each once', () => {
    const { schemas } = documentOf('v1').components
    expect(schemas['io.k8s.api.core.v1.Pod']).toMatchObject({
      properties: {
        spec: {
          description: 'What a pod should be.',
          allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodSpec' }],
        },
      },
    })
    expect(schemas['io.k8s.api.core.v1.PodSpec']).not.toHaveProperty('description')
  })
})

describe('OpenAPI v2', () => {
  const document = openApiV2(kinds) as { paths: Json; definitions: Json }

  it('refers only to what it defines', () => {
    const defined = new Set(Object.keys(document.definitions).map((name) => `#/definitions/${name}`))
    for (const ref of references(document)) expect(defined).toContain(ref)
  })

  it('holds every path of every version', () => {
    const paths = versions.flatMap((apiVersion) => Object.keys(documentOf(apiVersion).paths))
    expect(Object.keys(document.paths).sort()).toEqual(paths.sort())
  })

  it('says nothing that Swagger 2 does not know', () => {
    expect(JSON.stringify(document)).not.toMatch(/"(oneOf|anyOf|nullable)":/)
  })
})
