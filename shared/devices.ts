import * as z from 'zod'
import { anything, int64, PushMethod, strings, text } from './push-method.ts'

/**
 * Device and DeviceModel of `devices.kubeedge.io/v1beta1`: every field that KubeEdge's users write, and the status that
 * Kedge writes. These schemas are the source: the types, the CustomResourceDefinitions (`kubeapi/device-crds.ts`) and
 * the parsing at the edge come from them.
 *
 * Fields are optional wherever KubeEdge leaves them so. Fields that no schema knows are dropped, except below
 * `configData` and the like, where protocols keep what is theirs.
 */

export const devicesGroup = 'devices.kubeedge.io'
export const devicesVersion = 'v1beta1'

const Visitors = z
  .object({
    protocolName: text.optional().describe('Protocol that reads and writes the property, for instance modbus.'),
    configData: anything.optional().describe('Where the value lies, in the words of the protocol.'),
  })
  .describe('How the property is read from and written to the device.')

const TwinValue = z.object({
  value: text.describe('The value as text, whatever its type in the model.'),
  metadata: strings.optional().describe('timestamp in milliseconds since the epoch, type, and what else was said.'),
})

const DeviceProperty = z.object({
  name: text.describe('Name of the property in the model; unique in the device.'),
  desired: TwinValue.optional().describe('The value that the property should have.'),
  visitors: Visitors.optional(),
  reportCycle: int64.optional().describe('Milliseconds between reports.'),
  collectCycle: int64.optional().describe('Milliseconds between readings.'),
  reportToCloud: z.boolean().optional().describe('Whether reported values are written to the status.'),
  pushMethod: PushMethod.optional(),
})

const DeviceSpec = z.object({
  deviceModelRef: z
    .object({ name: text.default('') })
    .meta({ 'x-kubernetes-map-type': 'atomic' })
    .optional()
    .describe('The DeviceModel, in the same namespace.'),
  nodeName: text.optional().describe('The edge node that the device is attached to.'),
  properties: z
    .array(DeviceProperty)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('What this device has of its model, with the desired values.'),
  protocol: z
    .object({
      protocolName: text.optional().describe('Chooses the mapper or driver.'),
      configData: anything.optional().describe('How to reach the device, in the words of the protocol.'),
    })
    .optional()
    .describe('How to reach the device.'),
  methods: z
    .array(
      z.object({
        name: text.optional(),
        description: text.optional(),
        propertyNames: z.array(text).optional().describe('Properties that the method may set.'),
      }),
    )
    .optional()
    .describe('Methods of the device, called through its mapper.'),
  stateReport: z
    .object({
      reportToCloud: z.boolean().optional(),
      reportCycle: int64.optional().describe('Milliseconds between reports of a state that stays the same.'),
    })
    .optional()
    .describe('Whether and how often the state of the device is reported.'),
})

const Condition = z.object({
  type: text,
  status: z.enum(['True', 'False', 'Unknown']),
  reason: text,
  message: text,
  lastTransitionTime: text.meta({ format: 'date-time' }),
  observedGeneration: int64.optional(),
})

const Twin = z.object({
  propertyName: text,
  observedDesired: TwinValue.optional().describe('The desired value that the edge holds.'),
  reported: TwinValue.optional().describe('The value that the device last reported.'),
})

const DeviceStatus = z.looseObject({
  twins: z
    .array(Twin)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['propertyName'] })
    .optional()
    .describe('Desired and reported value of each property, as the edge node holds them.'),
  state: text.optional().describe('online, offline, ok, unhealthy or unknown.'),
  lastOnlineTime: text.optional().describe('When the device was last online, RFC 3339.'),
  reportToCloud: z.boolean().optional().describe('Older place of spec.stateReport.reportToCloud.'),
  reportCycle: int64.optional().describe('Older place of spec.stateReport.reportCycle.'),
  conditions: z
    .array(Condition)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .optional()
    .describe('What Kedge has to say of the device: whether it has a model and a node, whether it is in sync.'),
})

export const propertyTypes = ['INT', 'FLOAT', 'DOUBLE', 'STRING', 'BOOLEAN', 'BYTES', 'STREAM'] as const
export const accessModes = ['ReadWrite', 'ReadOnly'] as const

const ModelProperty = z.object({
  name: text.default('').describe('Unique in the model.'),
  description: text.optional(),
  type: z.enum(propertyTypes).optional(),
  accessMode: z.enum(accessModes).optional(),
  minimum: text.optional().describe('Smallest value allowed, as text.'),
  maximum: text.optional().describe('Largest value allowed, as text.'),
  unit: text.optional(),
  visitors: Visitors.optional(),
})

const DeviceModelSpec = z.object({
  properties: z
    .array(ModelProperty)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('What devices of this model have.'),
  protocol: text.optional().describe('Protocol of devices of this model.'),
  protocolConfigData: anything.optional().describe('How to reach such a device, unless the device says otherwise.'),
})

const Meta = z.looseObject({
  name: text,
  namespace: text.optional(),
  uid: text.optional(),
  generation: z.number().optional(),
  labels: strings.optional(),
  annotations: strings.optional(),
})

export const Device = z.object({
  metadata: Meta,
  spec: DeviceSpec.optional().describe('What the device should be.'),
  status: DeviceStatus.optional().describe('What the edge node says of the device.'),
})

export const DeviceModel = z.object({
  metadata: Meta,
  spec: DeviceModelSpec.optional().describe('What devices of this model have in common.'),
})

/** KubeEdge's DeviceStatus, since its 1.23: the status of the Device of the same name, as an object of its own. */
export const DeviceStatusObject = z.object({
  metadata: Meta,
  spec: anything.optional().describe('Empty.'),
  status: DeviceStatus.pick({ twins: true, state: true, lastOnlineTime: true })
    .extend({ extensions: anything.optional() })
    .optional()
    .describe('What the edge node says of the device.'),
})

export type Device = z.infer<typeof Device>
export type DeviceProperty = z.infer<typeof DeviceProperty>
export type DeviceMethod = NonNullable<z.infer<typeof DeviceSpec>['methods']>[number]
export type DeviceStatus = z.infer<typeof DeviceStatus>
export type DeviceModel = z.infer<typeof DeviceModel>
export type ModelProperty = z.infer<typeof ModelProperty>
export type Twin = z.infer<typeof Twin>
export type Condition = z.infer<typeof Condition>

export type ParsedDevice = { ok: true; device: Device } | { ok: false; reason: string }
export type ParsedModel = { ok: true; model: DeviceModel } | { ok: false; reason: string }

/** Reads a Device that came from outside; unknown fields are left out. */
export function parseDevice(content: unknown): ParsedDevice {
  const parsed = Device.safeParse(content)
  if (!parsed.success) return { ok: false, reason: faults(parsed.error) }
  const twice = repeated(parsed.data.spec?.properties ?? [])
  if (twice !== undefined) return { ok: false, reason: `spec.properties: two properties are named ${twice}` }
  return { ok: true, device: parsed.data }
}

/** Reads a DeviceModel that came from outside; unknown fields are left out. */
export function parseDeviceModel(content: unknown): ParsedModel {
  const parsed = DeviceModel.safeParse(content)
  if (!parsed.success) return { ok: false, reason: faults(parsed.error) }
  const twice = repeated(parsed.data.spec?.properties ?? [])
  // One of an older definition: with two rules for a property there is no saying which holds.
  if (twice !== undefined) return { ok: false, reason: `spec.properties: two properties are named ${twice}` }
  return { ok: true, model: parsed.data }
}

function repeated(properties: readonly { name: string }[]): string | undefined {
  const seen = new Set<string>()
  return properties.find(({ name }) => seen.size === seen.add(name).size)?.name
}

/** The first few faults of a schema, each with its path. */
function faults(error: z.ZodError): string {
  const told = error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'object'}: ${issue.message}`)
  return told.join('; ')
}
