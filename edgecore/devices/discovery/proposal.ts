import { devicesGroup, devicesVersion } from '@kedge/shared/devices'

/** A property as a device announces it: its part of a DeviceModel, and how the `mqtt` driver reads and writes it. */
export interface Announced {
  name: string
  description?: string | undefined
  type: 'INT' | 'FLOAT' | 'STRING' | 'BOOLEAN'
  writable: boolean
  minimum?: string | undefined
  maximum?: string | undefined
  unit?: string | undefined
  /** `visitors.configData` of the `mqtt` driver. */
  visitor: Record<string, unknown>
}

/** A device that was announced on the local broker. */
export interface Announcement {
  /** Unique on the node and for ever, such as `zigbee2mqtt/0x00158d0001abcdef`. */
  id: string
  /** What people call it. */
  name: string
  /** Maker and make, for the name of the model; devices with the same properties share it. */
  make: string
  description: string
  /** `spec.protocol.configData` of the `mqtt` driver. */
  protocol: Record<string, unknown>
  properties: Announced[]
  /** What of the announcement could not be used. */
  notes: string[]
}

/** Manifests for one announcement. */
export interface Proposal {
  id: string
  model: Manifest
  device: Manifest
  notes: readonly string[]
}

export type Manifest = {
  apiVersion: string
  kind: string
  metadata: Record<string, unknown>
  spec: Record<string, unknown>
}

/** Where a proposed object comes from. */
export const discoveredAnnotation = 'kedge.io/discovered'

const apiVersion = `${devicesGroup}/${devicesVersion}`

/**
 * The Devices and DeviceModels of what was announced, named so that they go into one namespace: two devices that people
 * call the same, and two makes that differ in their properties, get a number. Pure; the same announcements in any order
 * get the same names.
 */
export function proposalsOf(
  announcements: Iterable<Announcement>,
  { nodeName, namespace }: { nodeName: string; namespace: string },
): Proposal[] {
  const sorted = [...announcements].sort((a, b) => (a.id < b.id ? -1 : 1))
  const names = new Set<string>()
  const models = new Map<string, { name: string; manifest: Manifest }>()
  return sorted.map(({ id, name, make, description, protocol, properties, notes }) => {
    const modelled = properties.map(({ visitor: _, writable, ...rule }) =>
      defined({ ...rule, accessMode: writable ? 'ReadWrite' : 'ReadOnly' }),
    )
    const key = `${make} ${JSON.stringify(modelled)}`
    const model = models.get(key) ?? modelOf({ make, modelled, namespace, taken: models })
    models.set(key, model)
    const metadata = {
      name: unique(slug(name) || slug(id), names),
      namespace,
      labels: { description: labelOf(description) },
      annotations: { [discoveredAnnotation]: id },
    }
    const spec = {
      deviceModelRef: { name: model.name },
      nodeName,
      protocol: { protocolName: 'mqtt', configData: protocol },
      properties: properties.map(({ name, visitor }) => ({
        name,
        visitors: { protocolName: 'mqtt', configData: visitor },
      })),
    }
    return { id, model: model.manifest, device: { apiVersion, kind: 'Device', metadata, spec }, notes }
  })
}

function modelOf({
  make,
  modelled,
  namespace,
  taken,
}: {
  make: string
  modelled: Record<string, unknown>[]
  namespace: string
  taken: ReadonlyMap<string, { name: string }>
}) {
  const name = unique(slug(make) || 'device', new Set([...taken.values()].map((model) => model.name)))
  const manifest: Manifest = {
    apiVersion,
    kind: 'DeviceModel',
    metadata: { name, namespace },
    spec: { protocol: 'mqtt', properties: modelled },
  }
  return { name, manifest }
}

/** A name of Kubernetes (RFC 1123) that is like the text; empty when nothing of it can be used. */
export function slug(text: string): string {
  const plain = text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
  return plain
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replaceAll(/^-+|-+$/g, '')
}

function unique(name: string, taken: Set<string>): string {
  let free = name
  for (let count = 2; taken.has(free); count++) free = `${name}-${count}`
  taken.add(free)
  return free
}

/** The value of a label: letters, digits and `-_.`, at most 63 of them. */
function labelOf(text: string): string {
  return text
    .replaceAll(/[^\w.-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
}

export function defined<T extends Record<string, unknown>>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

/** A name that twins allow: what they don't becomes `_`. */
export function propertyName(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9\-_.,:/@#]/g, '_').slice(0, 128)
}
