import { devicesGroup, devicesVersion } from '@kedge/shared/devices'
import {
  AlphaDevice,
  AlphaModel,
  type AlphaProtocol,
  type AlphaType,
  type AlphaVisitor,
  protocolOf,
  types,
} from './alpha.ts'

/** An object as it stands in a manifest. */
export type Manifest = Record<string, unknown>

export type Converted =
  | { ok: true; object: Manifest /** What a person should look at. */; notes: string[] }
  | { ok: false; reason: string }

const old = `${devicesGroup}/v1alpha2`
const now = `${devicesGroup}/${devicesVersion}`

/**
 * A Device or DeviceModel of KubeEdge's v1alpha2 in the form of v1beta1; any other object comes back as it is. Pure.
 * What v1beta1 has no place for is named in the notes.
 */
export function convert(object: Manifest): Converted {
  if (object.apiVersion !== old) return { ok: true, object, notes: [] }
  if (object.kind === 'DeviceModel') return parsed(AlphaModel, object, model)
  if (object.kind === 'Device') return parsed(AlphaDevice, object, device)
  return { ok: false, reason: `kind: found ${JSON.stringify(object.kind)}; ${old} has Device and DeviceModel` }
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Faults }
}
interface Faults {
  issues: readonly { path: readonly PropertyKey[]; message: string }[]
}

function parsed<T>(schema: Schema<T>, object: Manifest, write: (from: T, notes: string[]) => Manifest): Converted {
  const read = schema.safeParse(object)
  if (!read.success) {
    const [fault] = read.error.issues
    return { ok: false, reason: `${fault?.path.map(String).join('.')}: ${fault?.message}` }
  }
  const notes: string[] = []
  return { ok: true, object: write(read.data, notes), notes }
}

function model({ metadata, spec }: AlphaModel, notes: string[]): Manifest {
  const properties = (spec?.properties ?? []).map(({ name, description, type }) => {
    const [word, limits] = Object.entries(type ?? {})[0] ?? []
    if (limits?.defaultValue !== undefined && limits.defaultValue !== '')
      notes.push(
        `property ${name}: the default value ${text(limits.defaultValue)} has no place in a model; desire it in the devices`,
      )
    return defined({
      name,
      description,
      type: word === undefined ? undefined : types[word as AlphaType],
      accessMode: limits?.accessMode,
      minimum: textual(limits?.minimum),
      maximum: textual(limits?.maximum),
      unit: limits?.unit,
    })
  })
  return {
    apiVersion: now,
    kind: 'DeviceModel',
    metadata: own(metadata),
    spec: defined({ properties, protocol: spec?.protocol }),
  }
}

function device({ metadata, spec, status }: AlphaDevice, notes: string[]): Manifest {
  const desired = new Map((status?.twins ?? []).map((twin) => [twin.propertyName, twin.desired]))
  const visitors = new Map((spec?.propertyVisitors ?? []).map((visitor) => [visitor.propertyName, visitor]))
  const protocol = protocolOf(spec?.protocol ?? {})
  const protocolName =
    protocol === undefined ? undefined : nameOf(protocol, spec?.protocol?.customizedProtocol?.protocolName)
  const properties = [...new Set([...visitors.keys(), ...desired.keys()])].map((name) => {
    const visitor = visitors.get(name)
    return defined({
      name,
      desired: wanted(desired.get(name)),
      visitors: visitor && visiting(visitor, protocolName),
      collectCycle: milliseconds(visitor?.collectCycle, `property ${name}: collectCycle`, notes),
      reportCycle: milliseconds(visitor?.reportCycle, `property ${name}: reportCycle`, notes),
      reportToCloud: true,
    })
  })
  if (spec?.data !== undefined)
    notes.push(
      `spec.data (topic ${spec.data.dataTopic ?? 'by default'}) has no place in a device; give the properties a pushMethod.mqtt`,
    )
  return {
    apiVersion: now,
    kind: 'Device',
    metadata: own(metadata),
    spec: defined({
      deviceModelRef: spec?.deviceModelRef,
      nodeName: nodeOf(spec?.nodeSelector?.nodeSelectorTerms ?? [], notes),
      properties,
      protocol: protocol && spec?.protocol && { protocolName, configData: reaching(spec.protocol, protocol) },
    }),
  }
}

type AlphaReach = NonNullable<NonNullable<AlphaDevice['spec']>['protocol']>

/** How to reach the device: what all protocols had in common, and what this one adds. */
function reaching(from: AlphaReach, protocol: AlphaProtocol): Manifest {
  const { com, tcp, customizedValues, ...common } = from.common ?? {}
  const communicateMode = protocol !== 'modbus' ? undefined : tcp ? 'TCP' : com ? 'RTU' : undefined
  const special = protocol === 'customizedProtocol' ? from.customizedProtocol?.configData : from[protocol]
  return defined({ communicateMode, ...com, ...tcp, ...common, ...special, ...customizedValues })
}

function visiting(visitor: AlphaVisitor, protocolOfDevice: string | undefined): Manifest | undefined {
  const protocol = protocolOf(visitor)
  if (protocol === undefined) return undefined
  const special = protocol === 'customizedProtocol' ? visitor.customizedProtocol?.configData : visitor[protocol]
  const protocolName = nameOf(protocol, visitor.customizedProtocol?.protocolName ?? protocolOfDevice)
  return { protocolName, configData: { ...special, ...visitor.customizedValues } }
}

function nameOf(protocol: AlphaProtocol, custom: string | undefined): string {
  return protocol === 'customizedProtocol' ? (custom ?? 'customized') : protocol
}

function wanted(desired: { value?: string; metadata?: Record<string, string> } | undefined): Manifest | undefined {
  if (!desired?.value) return undefined
  return defined({ value: desired.value, metadata: desired.metadata })
}

/** v1alpha2 sent a device to the first node that its selector names. */
function nodeOf(
  terms: NonNullable<NonNullable<NonNullable<AlphaDevice['spec']>['nodeSelector']>['nodeSelectorTerms']>,
  notes: string[],
): string | undefined {
  const named = terms
    .flatMap(({ matchExpressions = [] }) => matchExpressions)
    .filter(({ operator }) => operator === 'In')
  const nodes = named.flatMap(({ values = [] }) => values)
  if (nodes[0] === undefined)
    notes.push('no node is named by spec.nodeSelector with the operator In; set spec.nodeName')
  else if (nodes.length > 1)
    notes.push(`spec.nodeSelector names ${nodes.join(', ')}; a device has one node: the first is taken`)
  return nodes[0]
}

/** v1alpha2's mappers counted cycles in nanoseconds, v1beta1's in milliseconds. */
function milliseconds(cycle: number | undefined, where: string, notes: string[]): number | undefined {
  if (cycle === undefined) return undefined
  if (cycle < 1_000_000) {
    if (cycle > 0) notes.push(`${where}: ${cycle} is too short for nanoseconds; taken as milliseconds`)
    return cycle > 0 ? Math.round(cycle) : undefined
  }
  return Math.round(cycle / 1_000_000)
}

/** What a person wrote of the metadata, without what a server adds. */
function own(metadata: Manifest): Manifest {
  const { name, namespace, labels, annotations } = metadata
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...kept } = (annotations ?? {}) as Manifest
  return defined({ name, namespace, labels, annotations: Object.keys(kept).length > 0 ? kept : undefined })
}

function textual(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : text(value)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function defined(fields: Manifest): Manifest {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
