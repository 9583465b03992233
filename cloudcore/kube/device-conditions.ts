import { type Device, type DeviceModel, parseDevice, parseDeviceModel } from '@kedge/shared/devices'
import type { KubeObject } from '@kedge/shared/objects'
import { validateValue } from '@kedge/shared/twin'
import { type Condition, conditionOf } from './conditions.ts'
import type { StatusTwin } from './device-status.ts'

/** `unknown`: cloudcore has not yet had the time to find out, or the link has only just gone. */
export type NodeStanding = 'missing' | 'connected' | 'disconnected' | 'unknown'

/** Where an object stands on its node, as the sync with it knows. */
export interface SyncStanding {
  state: 'held' | 'sending' | 'waiting' | 'refused' | 'unknown'
  /** Why it is refused. */
  reason?: string
  /** The version that this is said of. */
  wanted: { generation: number | undefined }
}

export interface DeviceFacts {
  device: KubeObject
  /** The DeviceModel that the device refers to, if there is one. */
  model: KubeObject | undefined
  node: NodeStanding
  /** The twins as the status will have them. */
  twins: readonly StatusTwin[]
  /** Where the device stands on its node; undefined when it has not been sent there. */
  sync?: SyncStanding | undefined
  /** The same of its model. */
  modelSync?: SyncStanding | undefined
}

interface Fault {
  status: 'False' | 'Unknown'
  reason: string
  message: string
}

/**
 * What cloudcore has to say of a device: `Ready`, whether there is all that it takes to reach the device, with the first
 * fault as the reason and all of them in the message; `Synced`, whether its node holds this generation of the manifest;
 * and `InSync`, whether the device reports what is desired.
 */
export function deviceConditions(facts: DeviceFacts): Condition[] {
  // A status that someone has spoiled is no fault of the manifest.
  const parsed = parseDevice({ ...facts.device, status: undefined })
  const conditions = parsed.ok ? conditionsOf(facts, parsed.device) : [invalid(parsed.reason)]
  const held = synced(facts)
  if (held !== undefined) conditions.push(held)
  const { generation } = facts.device.metadata
  return conditions.map((condition) => ({ ...condition, ...observed(generation) }))
}

function conditionsOf(facts: DeviceFacts, device: Device): Condition[] {
  const ready = facts.node === 'unknown' ? undecided(facts, device) : readyOf(faultsOf(facts, device))
  return [...(ready === undefined ? [] : [ready]), inSync(device, facts.twins)]
}

function invalid(message: string): Condition {
  return readyOf([{ status: 'False', reason: 'Invalid', message }])
}

function observed(generation: number | undefined): { observedGeneration?: number } {
  return generation === undefined ? {} : { observedGeneration: generation }
}

/** Faults in the manifest are told at once; until the node's standing is known, nothing else is said anew. */
function undecided(facts: DeviceFacts, device: Device): Condition | undefined {
  const faults = faultsOf({ ...facts, node: 'connected' }, device)
  if (faults.length > 0) return readyOf(faults)
  const held = conditionOf(facts.device.status, 'Ready')
  return held?.reason === 'Synced' || held?.reason === 'NodeDisconnected' ? held : undefined
}

function readyOf(faults: Fault[]): Condition {
  const [first] = faults
  if (first === undefined)
    return { type: 'Ready', status: 'True', reason: 'Synced', message: 'the device is kept by its node' }
  const { status, reason } = first
  return { type: 'Ready', status, reason, message: faults.map(({ message }) => message).join('; ') }
}

function faultsOf({ device, model, node, sync, modelSync }: DeviceFacts, parsed: Device): Fault[] {
  const fault = (reason: string, message: string): Fault => ({ status: 'False', reason, message })
  const faults: Fault[] = []
  const modelName = parsed.spec?.deviceModelRef?.name ?? ''
  const nodeName = parsed.spec?.nodeName ?? ''
  if (modelName === '') faults.push(fault('ModelNotSet', 'spec.deviceModelRef.name is empty: name a DeviceModel'))
  else if (model === undefined)
    faults.push(
      fault('ModelNotFound', `DeviceModel ${modelName} does not exist in namespace ${device.metadata.namespace}`),
    )
  if (nodeName === '') faults.push(fault('NodeNotSet', 'spec.nodeName is empty: name the edge node of the device'))
  else if (node === 'missing') faults.push(fault('NodeNotFound', `node ${nodeName} does not exist`))
  if (model !== undefined) faults.push(...modelFaults(model, parsed))
  if (sync?.state === 'refused') faults.push(fault('RefusedByNode', refusal('the device', sync)))
  if (modelSync?.state === 'refused') faults.push(fault('ModelRefusedByNode', refusal('its model', modelSync)))
  if (nodeName !== '' && node === 'disconnected')
    faults.push({
      status: 'Unknown',
      reason: 'NodeDisconnected',
      message: `node ${nodeName} is out of reach: the values are the last that it reported`,
    })
  return faults
}

function refusal(what: string, { reason }: SyncStanding): string {
  return `the node cannot use ${what}: ${reason ?? 'it does not say why'}`
}

/** Nothing is said anew while a manifest is on its way, which takes milliseconds; `touch` brings what came of it. */
function synced({ device, sync }: DeviceFacts): Condition | undefined {
  // It is said of another generation than the one looked at here.
  if (sync?.wanted.generation !== device.metadata.generation) return undefined
  switch (sync?.state) {
    case 'held':
      return { type: 'Synced', status: 'True', reason: 'Held', message: 'the node holds this generation' }
    case 'refused':
      return { type: 'Synced', status: 'False', reason: 'Refused', message: refusal('the device', sync) }
    case 'waiting': {
      const message = 'the node is away and gets this generation when it is back'
      return { type: 'Synced', status: 'False', reason: 'NodeAway', message }
    }
    default:
      return undefined
  }
}

function modelFaults(model: KubeObject, device: Device): Fault[] {
  const parsed = parsedModel(model)
  if (!parsed.ok)
    return [
      { status: 'False', reason: 'ModelInvalid', message: `DeviceModel ${model.metadata.name}: ${parsed.reason}` },
    ]
  const faults: Fault[] = []
  const unknown = unknownProperties(parsed.model, device)
  if (unknown.length > 0) {
    const message = `DeviceModel ${model.metadata.name} has no property ${someOf(unknown)}`
    faults.push({ status: 'False', reason: 'PropertyNotInModel', message })
  }
  const reasons = desiredFaults(parsed.model, device)
  if (reasons.length > 0) faults.push({ status: 'False', reason: 'DesiredInvalid', message: someOf(reasons) })
  return faults
}

/** Properties that the model does not know. The node takes any text for them, and a driver has no type to go by. */
function unknownProperties(model: DeviceModel, device: Device): string[] {
  const known = new Set(model.spec?.properties?.map(({ name }) => name))
  return (device.spec?.properties ?? []).map(({ name }) => name).filter((name) => !known.has(name))
}

/** Why desired values do not fit the model. */
function desiredFaults(model: DeviceModel, device: Device): string[] {
  const rules = new Map((model.spec?.properties ?? []).map((rule) => [rule.name, rule]))
  return (device.spec?.properties ?? []).flatMap(({ name, desired }) => {
    const rule = rules.get(name)
    if (!desired?.value || rule === undefined) return []
    if (rule.accessMode === 'ReadOnly') return [`desired value of ${name}: the property is read-only`]
    const reason = validateValue(rule, desired.value)
    return reason === undefined ? [] : [`desired value of ${name}: ${reason}`]
  })
}

function inSync(device: Device, twins: readonly StatusTwin[]): Condition {
  const reported = new Map(twins.map((twin) => [twin.propertyName, twin.reported?.value]))
  const apart = (device.spec?.properties ?? [])
    // What the node keeps to itself cannot be compared.
    .filter(({ reportToCloud }) => reportToCloud !== false)
    .filter(({ name, desired }) => desired?.value && desired.value !== reported.get(name))
    .map(({ name }) => name)
  if (apart.length === 0)
    return { type: 'InSync', status: 'True', reason: 'AsDesired', message: 'the reported values are the desired ones' }
  return { type: 'InSync', status: 'False', reason: 'Differs', message: `not yet as desired: ${someOf(apart)}` }
}

function someOf(texts: string[]): string {
  return texts.length <= 5 ? texts.join('; ') : `${texts.slice(0, 5).join('; ')} and ${texts.length - 5} more`
}

const parsedModels = new WeakMap<KubeObject, ReturnType<typeof parseDeviceModel>>()

/** Many devices share a model, and an object is replaced, never changed: each is parsed once. */
function parsedModel(model: KubeObject): ReturnType<typeof parseDeviceModel> {
  const known = parsedModels.get(model)
  if (known !== undefined) return known
  const parsed = parseDeviceModel(model)
  parsedModels.set(model, parsed)
  return parsed
}
