import { fromJSON, type MethodDefinition, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader'

/**
 * The messages of `dmi.proto`, package `v1beta1`, in a form that needs no file beside the bundle: `dmi.proto` is for those
 * who write mappers, and a test holds the two together. A field's number is its place in the list.
 */
const messages: Readonly<Record<string, string>> = {
  MapperRegisterRequest: 'bool withData, MapperInfo mapper',
  MapperRegisterResponse: 'repeated DeviceModel modelList, repeated Device deviceList',
  MapperInfo: 'string name, string version, string api_version, string protocol, bytes address, string state',
  DeviceModel: 'string name, DeviceModelSpec spec, string namespace',
  DeviceModelSpec: 'repeated ModelProperty properties, repeated DeviceCommand commands',
  ModelProperty:
    'string name, string description, string type, string accessMode, string minimum, string maximum, string unit',
  DeviceCommand:
    'string name, string url, string method, repeated string status_code, repeated string parameters, bytes response',
  Device: 'string name, DeviceSpec spec, DeviceStatus status, string namespace',
  DeviceSpec:
    'string deviceModelReference, ProtocolConfig protocol, repeated DeviceProperty properties, repeated DeviceMethod methods',
  DeviceMethod: 'string name, string description, repeated string propertyNames',
  DeviceProperty:
    'string name, TwinProperty desired, VisitorConfig visitors, int64 reportCycle, int64 collectCycle, bool reportToCloud, PushMethod pushMethod',
  ProtocolConfig: 'string protocolName, CustomizedValue configData',
  VisitorConfig: 'string protocolName, CustomizedValue configData',
  CustomizedValue: 'map google.protobuf.Any data',
  PushMethod:
    'PushMethodHTTP http, PushMethodMQTT mqtt, DBMethod dbMethod, PushMethodOTEL otel, AnomalyDetection anomalyDetection',
  PushMethodHTTP: 'string hostname, int64 port, string requestpath, int64 timeout',
  PushMethodMQTT: 'string address, string topic, int32 qos, bool retained',
  PushMethodOTEL: 'string endpointURL',
  DBMethod: 'DBMethodInfluxdb2 influxdb2, DBMethodRedis redis, DBMethodTDEngine tdengine, DBMethodMySQL mysql',
  DBMethodInfluxdb2: 'Influxdb2ClientConfig influxdb2ClientConfig, Influxdb2DataConfig influxdb2DataConfig',
  Influxdb2DataConfig: 'string measurement, map string tag, string fieldKey',
  Influxdb2ClientConfig: 'string url, string org, string bucket',
  DBMethodRedis: 'RedisClientConfig redisClientConfig',
  RedisClientConfig: 'string addr, int32 db, int32 poolsize, int32 minIdleConns',
  DBMethodTDEngine: 'TDEngineClientConfig tdEngineClientConfig',
  TDEngineClientConfig: 'string addr, string dbname',
  DBMethodMySQL: 'MySQLClientConfig mysqlClientConfig',
  MySQLClientConfig: 'string addr, string database, string userName',
  AnomalyDetection: 'map google.protobuf.Any data',
  ReportDeviceStatusRequest: 'string deviceName, DeviceStatus reportedDevice, string deviceNamespace',
  ReportDeviceStatesRequest: 'string deviceName, string deviceNamespace, string state',
  DeviceStatus: 'repeated Twin twins, bool reportToCloud, int64 reportCycle',
  Twin: 'string propertyName, TwinProperty observedDesired, TwinProperty reported',
  TwinProperty: 'string value, map string metadata',
  ReportDeviceStatusResponse: '',
  ReportDeviceStatesResponse: '',
  RegisterDeviceRequest: 'Device device',
  RegisterDeviceResponse: 'string deviceName, string deviceNamespace',
  CreateDeviceModelRequest: 'DeviceModel model',
  CreateDeviceModelResponse: 'string deviceModelName, string deviceModelNamespace',
  RemoveDeviceRequest: 'string deviceName, string deviceNamespace',
  RemoveDeviceResponse: '',
  RemoveDeviceModelRequest: 'string modelName, string modelNamespace',
  RemoveDeviceModelResponse: '',
  UpdateDeviceRequest: 'Device device',
  UpdateDeviceResponse: '',
  UpdateDeviceModelRequest: 'DeviceModel model',
  UpdateDeviceModelResponse: '',
  GetDeviceRequest: 'string deviceName, string deviceNamespace',
  GetDeviceResponse: 'Device device',
}

const managerMethods = ['MapperRegister', 'ReportDeviceStatus', 'ReportDeviceStates'] as const
const mapperMethods = [
  'RegisterDevice',
  'RemoveDevice',
  'UpdateDevice',
  'CreateDeviceModel',
  'RemoveDeviceModel',
  'UpdateDeviceModel',
  'GetDevice',
] as const

/** What edgecore calls at a mapper. */
export type MapperMethod = Exclude<(typeof mapperMethods)[number], 'GetDevice'>
export type ManagerMethod = (typeof managerMethods)[number]

type Methods<Name extends string> = Readonly<Record<Name, MethodDefinition<object, object>>>

export interface Schema {
  /** Served by edgecore. */
  manager: Methods<ManagerMethod>
  /** Served by mappers. */
  mapper: Methods<MapperMethod>
  /** All there is, by full name. */
  messages: PackageDefinition
}

function load(): Schema {
  const nested = {
    ...Object.fromEntries(Object.entries(messages).map(([name, fields]) => [name, { fields: fieldsOf(fields) }])),
    DeviceManagerService: serviceOf(managerMethods),
    DeviceMapperService: serviceOf(mapperMethods),
  }
  const any = { fields: fieldsOf('string type_url, bytes value') }
  const google = { nested: { protobuf: { nested: { Any: any } } } }
  const root = { nested: { v1beta1: { nested }, google } } as Parameters<typeof fromJSON>[0]
  const all = fromJSON(root, { longs: Number, defaults: true })
  return {
    messages: all,
    manager: all['v1beta1.DeviceManagerService'] as ServiceDefinition & Methods<ManagerMethod>,
    mapper: all['v1beta1.DeviceMapperService'] as ServiceDefinition & Methods<MapperMethod>,
  }
}

function serviceOf(names: readonly string[]) {
  const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` })
  return { methods: Object.fromEntries(names.map((name) => [name, method(name)])) }
}

/** `repeated string name` is a list, `map Device byName` a map from strings. */
function fieldsOf(text: string) {
  const fields = text === '' ? [] : text.split(', ')
  return Object.fromEntries(fields.map((field, index) => fieldOf(field.split(' '), index + 1)))
}

function fieldOf(words: readonly string[], id: number) {
  const [first = '', second = '', third] = words
  if (third === undefined) return [second, { type: first, id }] as const
  return [third, first === 'map' ? { keyType: 'string', type: second, id } : { rule: 'repeated', type: second, id }]
}

/** Both services, ready for the gRPC library. */
export const schema: Schema = load()
