import { stringify } from 'yaml'
import * as z from 'zod'
import { Device, DeviceModel, DeviceStatusObject, devicesGroup, devicesVersion } from '../devices.ts'
import type { KubeObject } from '../objects.ts'
import { asObject, isObject, type Json, type Schema } from './schema.ts'

const convert = 'cloudcore convert device FILE'
const older = `KubeEdge v1alpha2 is not served: ${convert} writes its objects anew.`

interface Naming {
  kind: string
  /** The kind in lower case with an s unless given. */
  plural?: string
  description: string
  shortNames: string[]
  status: boolean
  columns: { name: string; type: string; jsonPath: string; description: string; priority?: number }[]
}

const ageOfCreation = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created.',
}

const device: Naming = {
  kind: 'Device',
  description: `A device behind an edge node: which model it is of, how to reach it, what it should do. ${older}`,
  shortNames: ['dev'],
  status: true,
  columns: [
    { name: 'Model', type: 'string', jsonPath: '.spec.deviceModelRef.name', description: 'The DeviceModel.' },
    { name: 'Node', type: 'string', jsonPath: '.spec.nodeName', description: 'The edge node it is attached to.' },
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'The state it last reported.' },
    {
      name: 'In-Sync',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="InSync")].status',
      description: 'Whether the reported values are the desired ones.',
    },
    { name: 'Last-Seen', type: 'date', jsonPath: '.status.lastOnlineTime', description: 'When it was last online.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'What is missing to reach the device, or Synced.',
      priority: 1,
    },
    {
      name: 'Protocol',
      type: 'string',
      jsonPath: '.spec.protocol.protocolName',
      description: 'Protocol.',
      priority: 1,
    },
    ageOfCreation,
  ],
}

const deviceModel: Naming = {
  kind: 'DeviceModel',
  description: `What devices of one make have in common: their properties, types and limits. ${older}`,
  shortNames: ['devmodel'],
  status: false,
  columns: [
    { name: 'Protocol', type: 'string', jsonPath: '.spec.protocol', description: 'Protocol of the devices.' },
    ageOfCreation,
  ],
}

const deviceStatus: Naming = {
  kind: 'DeviceStatus',
  plural: 'devicestatuses',
  description: 'What an edge node says of the Device of the same name, as KubeEdge 1.23 and later keep it.',
  shortNames: [],
  status: false,
  columns: [
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'The state it last reported.' },
    { name: 'Last-Seen', type: 'date', jsonPath: '.status.lastOnlineTime', description: 'When it was last online.' },
    ageOfCreation,
  ],
}

/** The CustomResourceDefinition of DeviceStatus, which KubeEdge has had since 1.23, for those who read it. */
export function deviceStatusCrd(): KubeObject {
  return crd(deviceStatus, z.toJSONSchema(DeviceStatusObject, { io: 'input' }))
}

/** The CustomResourceDefinitions of Device and DeviceModel, as applied to a cluster. */
export function deviceCrds(): KubeObject[] {
  return [
    crd(device, z.toJSONSchema(Device, { io: 'input' })),
    crd(deviceModel, z.toJSONSchema(DeviceModel, { io: 'input' })),
  ]
}

/** The files of `deploy/`: path there and YAML text. */
export function deviceCrdFiles(): { name: string; text: string }[] {
  return [...deviceCrds(), deviceStatusCrd()].map((object) => ({
    name: `${object.metadata.name.startsWith('devicestatuses') ? 'device-status' : 'crds'}/${object.metadata.name}.yaml`,
    text: `# Written by scripts/crds.ts from shared/devices.ts.\n${stringify(object, { lineWidth: 0 })}`,
  }))
}

function crd(naming: Naming, source: unknown): KubeObject {
  const singular = naming.kind.toLowerCase()
  const plural = naming.plural ?? `${singular}s`
  const names = { kind: naming.kind, listKind: `${naming.kind}List`, plural, singular }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${devicesGroup}` },
    spec: {
      group: devicesGroup,
      names: naming.shortNames.length > 0 ? { ...names, shortNames: naming.shortNames } : names,
      scope: 'Namespaced',
      versions: [
        {
          name: devicesVersion,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: topLevel(naming.description, source) },
          ...(naming.status ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: naming.columns,
        },
        ...(naming === deviceStatus ? [] : [refusing(naming)]),
      ],
    },
  }
}

/**
 * KubeEdge's v1alpha2, served to be refused: without it kubectl would say that there is no such kind, and not what to
 * do. The warning comes with every answer, and no object that is written fits the schema.
 */
function refusing({ kind }: Naming): Json {
  const rest = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    name: 'v1alpha2',
    served: true,
    storage: false,
    deprecated: true,
    deprecationWarning: `${devicesGroup}/v1alpha2 ${kind} is refused: write it in ${devicesVersion}, with ${convert}`,
    schema: {
      openAPIV3Schema: {
        description: older,
        type: 'object',
        required: ['spec'],
        properties: { spec: rest, status: rest },
        not: { required: ['spec'] },
      },
    },
  }
}

/** The schema of a whole object: apiVersion, kind and metadata are Kubernetes' own. */
function topLevel(description: string, source: unknown): Schema {
  const { metadata: _, ...own } = asObject(asObject(source).properties)
  return {
    description,
    type: 'object',
    properties: {
      apiVersion: { description: 'Version of the schema that this object is written in.', type: 'string' },
      kind: { description: 'Kind of the object.', type: 'string' },
      metadata: { type: 'object' },
      ...Object.fromEntries(Object.entries(own).map(([name, schema]) => [name, structural(schema)])),
    },
  }
}

/**
 * JSON Schema as zod writes it, as a structural schema: what allows any further field preserves unknown fields, and the
 * bounds that only say "an integer that JavaScript can hold" become Kubernetes' int32 and int64.
 */
function structural(source: unknown): Schema {
  const out: Json = {}
  for (const [word, value] of Object.entries(asObject(source))) {
    if (word === 'properties') {
      const properties = Object.entries(asObject(value)).map(([name, inner]) => [name, structural(inner)])
      if (properties.length > 0) out.properties = Object.fromEntries(properties)
    } else if (word === 'items') out.items = structural(value)
    else if (word === 'additionalProperties') Object.assign(out, further(value))
    else if (kept.has(word)) out[word] = value
  }
  return out.type === 'integer' ? integer(out) : out
}

const kept = new Set([
  'type',
  'description',
  'default',
  'enum',
  'required',
  'format',
  'minimum',
  'maximum',
  'pattern',
  'minLength',
  'maxLength',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
])

function further(value: unknown): Json {
  if (value === false) return {}
  if (isObject(value) && Object.keys(value).length > 0) return { additionalProperties: structural(value) }
  return { 'x-kubernetes-preserve-unknown-fields': true }
}

function integer(schema: Json): Schema {
  const { minimum, maximum, ...rest } = schema
  if (minimum === -(2 ** 31) && maximum === 2 ** 31 - 1) return { ...rest, format: 'int32' }
  const unbounded = minimum === Number.MIN_SAFE_INTEGER && maximum === Number.MAX_SAFE_INTEGER
  return unbounded ? { format: 'int64', ...rest } : schema
}
