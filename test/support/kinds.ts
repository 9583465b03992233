import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { establish, kindsOf } from '@kedge/shared/kubeapi/crd'
import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import type { ApiKind } from '@kedge/shared/kubeapi/kinds'
import type { Schema } from '@kedge/shared/kubeapi/schema'
import { type Admission, admit } from '@kedge/shared/kubeapi/validate'
import { must } from '@kedge/shared/must'
import type { KubeObject } from '@kedge/shared/objects'

/** A built-in kind; of the two Events the one of core/v1. */
export function builtIn(kind: string, group?: string): ApiKind {
  const found = builtIns.find((one) => one.kind === kind && (group === undefined || one.group === group))
  return must(found, kind)
}

/** Device and DeviceModel, as their definitions declare them. */
export function deviceKind(kind: 'Device' | 'DeviceModel'): ApiKind {
  const crd = deviceCrds().find(({ metadata }) => metadata.name.startsWith(`${kind.toLowerCase()}s.`))
  return must(kindsOf(establish(must(crd, kind), builtIns, '2026-01-01T00:00:00Z'))[0], kind)
}

/** A kind `Thing` of example.com/v1 whose spec has the given schema, with a status subresource unless told otherwise. */
export function thingCrd(
  spec: Schema,
  version: Record<string, unknown> = { subresources: { status: {} } },
): KubeObject {
  const status: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      names: { kind: 'Thing', listKind: 'ThingList', plural: 'things', singular: 'thing' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec, status } } },
          ...version,
        },
      ],
    },
  }
}

export function thingKind(spec: Schema, version?: Record<string, unknown>): ApiKind {
  return must(kindsOf(establish(thingCrd(spec, version), [], '2026-01-01T00:00:00Z'))[0], 'Thing')
}

/** Admits a new object, given without apiVersion and kind. */
export function created(kind: ApiKind, object: Record<string, unknown>): Admission {
  return admit({ kind, operation: 'create', object: { metadata: { name: 'x', namespace: 'default' }, ...object } })
}

/** Each cause as `field: message`. */
export function told({ causes }: Admission): string[] {
  return causes.map(({ field, message }) => `${field}: ${message}`)
}
