import { createHash } from 'node:crypto'
import * as z from 'zod'
import { canonical } from './canonical.ts'
import { devicesGroup, devicesVersion } from './devices.ts'

const record = z.record(z.string(), z.unknown())

/** A property as a device announces it: its part of a DeviceModel, and how the `mqtt` driver reads and writes it. */
const Announced = z.object({
  name: z.string().min(1).max(128),
  description: z.string().optional(),
  type: z.enum(['INT', 'FLOAT', 'STRING', 'BOOLEAN']),
  writable: z.boolean(),
  minimum: z.string().optional(),
  maximum: z.string().optional(),
  unit: z.string().optional(),
  /** `visitors.configData` of the `mqtt` driver. */
  visitor: record,
})
export type Announced = z.infer<typeof Announced>

/** A device that was announced on a node's local broker. */
export const Announcement = z.object({
  /** Unique on the node and for ever, such as `zigbee2mqtt/0x00158d0001abcdef`. */
  id: z.string().min(1).max(256),
  /** What people call it. */
  name: z.string().max(256),
  /** Maker and make, for the name of the model; devices with the same properties share it. */
  make: z.string().max(256),
  description: z.string(),
  /** `spec.protocol.configData` of the `mqtt` driver. */
  protocol: record,
  properties: z.array(Announced).max(1000),
  /** What of the announcement could not be used. */
  notes: z.array(z.string()),
})
export type Announcement = z.infer<typeof Announcement>

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

export interface Place {
  nodeName: string
  namespace: string
  /** Names in the namespace that are taken by devices. */
  taken: ReadonlySet<string>
  /** The ids of devices that there are already, wherever they are. */
  known: ReadonlySet<string>
}

/**
 * The Devices and DeviceModels of what was announced and is not a device of the node yet. Pure; a device has the same
 * name whatever else is announced, unless another one is called the same, and no proposal has the name of a device that
 * there is: applied, it would become another device.
 */
export function proposalsOf(
  announcements: Iterable<Announcement>,
  { nodeName, namespace, taken, known }: Place,
): Proposal[] {
  const all = [...announcements].sort((a, b) => (a.id < b.id ? -1 : 1))
  const called = (base: string) => all.filter((each) => nameOf(each, nodeName) === base).length
  return all
    .filter(({ id }) => !known.has(id))
    .map((announcement) => {
      const base = nameOf(announcement, nodeName)
      const name = called(base) > 1 || taken.has(base) ? `${base}-${mark(announcement.id)}` : base
      return proposalOf(announcement, { name, nodeName, namespace })
    })
}

/** Devices of two nodes may be called the same, and live in one namespace. */
function nameOf({ id, name }: Announcement, nodeName: string): string {
  return `${slug(nodeName)}-${slug(name) || slug(id) || mark(id)}`
}

function proposalOf(
  { id, make, description, protocol, properties, notes }: Announcement,
  { name, nodeName, namespace }: { name: string; nodeName: string; namespace: string },
): Proposal {
  const modelled = properties.map(({ visitor: _, writable, ...rule }) =>
    defined({ ...rule, accessMode: writable ? 'ReadWrite' : 'ReadOnly' }),
  )
  // One make may have several sets of properties: by its firmware, or by how it is set up.
  const modelName = `${slug(make) || 'device'}-${mark(canonical(modelled))}`
  const labels = description === '' ? {} : { labels: { description: labelOf(description) } }
  const metadata = { name, namespace, ...labels, annotations: { [discoveredAnnotation]: id } }
  const spec = {
    deviceModelRef: { name: modelName },
    nodeName,
    protocol: { protocolName: 'mqtt', configData: protocol },
    properties: properties.map(({ name, visitor }) => ({
      name,
      visitors: { protocolName: 'mqtt', configData: visitor },
    })),
  }
  const model = { metadata: { name: modelName, namespace }, spec: { protocol: 'mqtt', properties: modelled } }
  return {
    id,
    model: { apiVersion, kind: 'DeviceModel', ...model },
    device: { apiVersion, kind: 'Device', metadata, spec },
    notes,
  }
}

/** A few characters that tell two texts apart. */
function mark(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 5)
}

/** The objects of proposals, each once, models first. */
export function manifestsOf(proposals: readonly Proposal[]): Manifest[] {
  const models = new Map(proposals.map(({ model }) => [model.metadata.name, model]))
  return [...models.values(), ...proposals.map(({ device }) => device)]
}

/** A name of Kubernetes (RFC 1123) that is like the text; empty when nothing of it can be used. */
export function slug(text: string): string {
  const plain = text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
  return plain
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replaceAll(/^-+|-+$/g, '')
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
