import { crdChange } from '@kedge/cloudcore/kube/crd-change'
import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

const ours = { name: 'v1beta1', storage: true, schema: { openAPIV3Schema: { type: 'object' } } }
const crd = (versions: unknown[], more = {}): KubeObject => ({
  metadata: { name: 'x' },
  spec: { group: 'g', versions, ...more },
})

test('defaults that the server added are no change', () => {
  const held = crd([{ ...ours, deprecated: false }], { conversion: { strategy: 'None' } })
  expect(crdChange(held, crd([ours]))).toBeUndefined()
})

test('a different schema is', () => {
  const held = crd([{ ...ours, schema: { openAPIV3Schema: { type: 'object', properties: {} } } }])
  expect(crdChange(held, crd([{ ...ours, subresources: { status: {} } }]))).toMatchObject({
    spec: { versions: [{ subresources: { status: {} } }] },
  })
})

test('versions of others stay, and do not store', () => {
  const held = crd([{ name: 'v1alpha2', storage: true }])
  expect(crdChange(held, crd([ours]))).toMatchObject({
    spec: {
      versions: [
        { name: 'v1alpha2', storage: false },
        { name: 'v1beta1', storage: true },
      ],
    },
  })
  expect(crdChange(crd([ours, { name: 'v1alpha2', storage: false }]), crd([ours]))).toBeUndefined()
})

test('our own definitions, applied, are up to date', () => {
  for (const one of deviceCrds()) expect(crdChange(one, one)).toBeUndefined()
})
