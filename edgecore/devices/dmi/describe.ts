import type { Device, DeviceModel, DeviceProperty, ModelProperty } from '@kedge/shared/devices'
import { type Twin, visible } from '@kedge/shared/twin'
import { type AnyValue, anyValues } from './any-value.ts'

/** A device as edgecore holds it. */
export interface Described {
  namespace: string
  name: string
  device: Device
  model: DeviceModel
  twins: ReadonlyMap<string, Twin>
}

interface Config {
  protocolName: string
  configData: { data: Record<string, AnyValue> }
}

interface TwinValue {
  value: string
  metadata: Record<string, string>
}

/** `v1beta1.Device` as it is sent. */
export interface WireDevice {
  name: string
  namespace: string
  spec: {
    deviceModelReference: string
    protocol: Config
    properties: { name: string; desired: TwinValue; visitors: Config; [field: string]: unknown }[]
    methods: unknown[]
  }
  status: {
    twins: { propertyName: string; observedDesired: TwinValue; reported: TwinValue }[]
    reportToCloud: boolean
    reportCycle: number
  }
}

/**
 * A Device in the words of the interface. What KubeEdge's mappers read without asking whether it is there is always
 * there: spec, status, protocol, and the desired value and visitors of each property. What the model says of protocol and
 * visitors holds where the device does not say otherwise.
 */
export function wireDevice({ namespace, name, device, model, twins }: Described): WireDevice {
  const { spec = {} } = device
  const protocolName = spec.protocol?.protocolName ?? ''
  const modelled = new Map(model.spec?.properties?.map((each) => [each.name ?? '', each]))
  const properties = spec.properties ?? []
  return {
    name,
    namespace,
    spec: {
      deviceModelReference: spec.deviceModelRef?.name ?? '',
      protocol: config(protocolName, model.spec?.protocolConfigData, spec.protocol?.configData),
      properties: properties.map((each) =>
        wireProperty(each, { twin: twins.get(each.name), modelled: modelled.get(each.name), protocolName }),
      ),
      methods: spec.methods ?? [],
    },
    status: {
      twins: properties.map((each) => ({
        propertyName: each.name,
        observedDesired: desiredOf(each, twins.get(each.name)),
        reported: reportedOf(twins.get(each.name)),
      })),
      reportToCloud: spec.stateReport?.reportToCloud ?? false,
      reportCycle: spec.stateReport?.reportCycle ?? 0,
    },
  }
}

function wireProperty(
  property: DeviceProperty,
  around: { twin: Twin | undefined; modelled: ModelProperty | undefined; protocolName: string },
): WireDevice['spec']['properties'][number] {
  const { name, visitors, reportCycle, collectCycle, reportToCloud, pushMethod } = property
  const general = around.modelled?.visitors
  const visitorsOf = visitors?.protocolName ?? general?.protocolName ?? around.protocolName
  return {
    name,
    desired: desiredOf(property, around.twin),
    visitors: config(visitorsOf, general?.configData, visitors?.configData),
    reportCycle,
    collectCycle,
    reportToCloud,
    pushMethod: pushMethod && wirePush(pushMethod),
  }
}

type Anything = Readonly<Record<string, unknown>>

function config(protocolName: string, general: Anything | undefined, own: Anything | undefined): Config {
  return { protocolName, configData: { data: anyValues({ ...general, ...own }) } }
}

/** The value in force here, which may be a later one than the cloud's. */
function desiredOf({ desired }: DeviceProperty, twin: Twin | undefined): TwinValue {
  return { value: visible(twin)?.desired.value ?? '', metadata: desired?.metadata ?? {} }
}

function reportedOf(twin: Twin | undefined): TwinValue {
  const { value, at } = visible(twin)?.reported ?? {}
  return { value: value ?? '', metadata: at === undefined ? {} : { timestamp: String(at) } }
}

/** The fields whose names differ are renamed, as KubeEdge's case-blind JSON does. */
function wirePush({ http, mqtt, otel, dbMethod, anomalyDetection }: NonNullable<DeviceProperty['pushMethod']>) {
  const tdengine = dbMethod?.TDEngine?.TDEngineClientConfig
  return {
    http: http && { hostname: http.hostName, port: http.port, requestpath: http.requestPath, timeout: http.timeout },
    mqtt,
    otel,
    dbMethod: dbMethod && {
      influxdb2: dbMethod.influxdb2,
      redis: dbMethod.redis,
      tdengine: dbMethod.TDEngine && {
        tdEngineClientConfig: tdengine && { addr: tdengine.addr, dbname: tdengine.dbName },
      },
      mysql: dbMethod.mysql,
    },
    anomalyDetection: anomalyDetection && { data: anyValues(anomalyDetection) },
  }
}

/** `v1beta1.DeviceModel` as it is sent. */
export interface WireModel {
  name: string
  namespace: string
  spec: { properties: unknown[] }
}

export function wireModel(namespace: string, { metadata, spec }: DeviceModel): WireModel {
  return { name: metadata.name, namespace, spec: { properties: spec?.properties ?? [] } }
}
