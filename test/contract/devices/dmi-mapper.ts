import { join } from 'node:path'
import {
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { must } from '@kedge/shared/must'

const proto = join(import.meta.dirname, '../../../edgecore/devices/dmi/dmi.proto')
const definition = loadSync(proto, { keepCase: true, longs: Number, defaults: true })
const { DeviceManagerService, DeviceMapperService } = (
  loadPackageDefinition(definition) as unknown as { v1beta1: Record<string, ServiceClientConstructor> }
).v1beta1

// biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at field by field
export type Wire = any

export interface MapperOptions {
  /** The folder of its socket. */
  dir: string
  /** Edgecore's socket. */
  edgecore: string
  name?: string
  protocol?: string
  /** What to answer a call with; resolves or returns nothing for success. A promise that stays open hangs the call. */
  answer?: (method: string, request: Wire) => unknown
}

export interface Call {
  method: string
  request: Wire
  at: number
}

/** A mapper written from `dmi.proto` alone: it keeps what it is told, as KubeEdge's mapper-framework does. */
export class TestMapper {
  readonly #options: MapperOptions
  readonly #client: Client
  #server: Server | undefined
  readonly address: string
  readonly name: string
  readonly protocol: string
  readonly calls: Call[] = []
  readonly devices = new Map<string, Wire>()
  readonly models = new Map<string, Wire>()
  answer: NonNullable<MapperOptions['answer']>

  constructor(options: MapperOptions) {
    this.#options = options
    this.name = options.name ?? 'mapper'
    this.protocol = options.protocol ?? 'custom'
    this.address = join(options.dir, `${this.name}.sock`)
    this.answer = options.answer ?? (() => undefined)
    this.#client = new Client(`unix:${options.edgecore}`, credentials.createInsecure())
  }

  /** Serves its socket and registers. */
  static async start(options: MapperOptions): Promise<TestMapper> {
    const mapper = new TestMapper(options)
    await mapper.register()
    await mapper.serve()
    return mapper
  }

  async serve(): Promise<void> {
    const server = new Server()
    const names = Object.keys(must(DeviceMapperService, 'the service').service)
    server.addService(
      must(DeviceMapperService, 'the service').service,
      Object.fromEntries(
        names.map((method) => [
          method,
          (call: ServerUnaryCall<Wire, Wire>, done: sendUnaryData<Wire>) => this.#take(method, call.request, done),
        ]),
      ),
    )
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${this.address}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    )
    this.#server = server
  }

  /** The process dies: every connection ends at once. */
  crash(): void {
    this.#server?.forceShutdown()
    this.#server = undefined
  }

  stop(): void {
    this.crash()
    this.#client.close()
  }

  async register({ withData = true, ...other }: { withData?: boolean; [field: string]: Wire } = {}): Promise<Wire> {
    const { name, protocol, address } = this
    const mapper = { name, version: 'v1', api_version: 'v1.0.0', protocol, address: Buffer.from(address), state: 'ok' }
    const given = await this.call('MapperRegister', { withData, mapper: { ...mapper, ...other } })
    for (const model of given.modelList) this.models.set(idOf(model), model)
    for (const device of given.deviceList) this.devices.set(idOf(device), device)
    return given
  }

  report(deviceName: string, values: Record<string, string>, deviceNamespace = 'default'): Promise<Wire> {
    const twins = Object.entries(values).map(([propertyName, value]) => ({
      propertyName,
      observedDesired: { value: '', metadata: { type: 'string' } },
      reported: { value, metadata: { type: 'string', timestamp: '1' } },
    }))
    return this.call('ReportDeviceStatus', { deviceName, deviceNamespace, reportedDevice: { twins } })
  }

  state(deviceName: string, state: string, deviceNamespace = 'default'): Promise<Wire> {
    return this.call('ReportDeviceStates', { deviceName, deviceNamespace, state })
  }

  /** A call to edgecore. */
  call(method: string, request: object, client = this.#client): Promise<Wire> {
    const { path, requestSerialize, responseDeserialize } = must(
      must(DeviceManagerService, 'the service').service[method],
      method,
    )
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, value?: Wire) => (error ? reject(error) : resolve(value))
      const options = { deadline: Date.now() + 20_000 }
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), options, done)
    })
  }

  /** A call over a connection of its own, as KubeEdge's mapper-framework makes each of them. */
  async callAlone(method: string, request: object): Promise<Wire> {
    const options = { 'grpc.use_local_subchannel_pool': 1 }
    const client = new Client(`unix:${this.#options.edgecore}`, credentials.createInsecure(), options)
    try {
      return await this.call(method, request, client)
    } finally {
      client.close()
    }
  }

  /** The calls that came, without what they carried. */
  get methods(): string[] {
    return this.calls.map(({ method }) => method)
  }

  desired(device: string, property: string): string | undefined {
    const properties: Wire[] = this.devices.get(device)?.spec.properties ?? []
    return properties.find(({ name }) => name === property)?.desired.value
  }

  async #take(method: string, request: Wire, done: sendUnaryData<Wire>): Promise<void> {
    this.calls.push({ method, request, at: performance.now() })
    try {
      await this.answer(method, request)
    } catch (error) {
      return done(error as ServiceError)
    }
    if (method === 'RegisterDevice' || method === 'UpdateDevice') this.devices.set(idOf(request.device), request.device)
    if (method.endsWith('eDeviceModel') && request.model) this.models.set(idOf(request.model), request.model)
    if (method === 'RemoveDevice') this.devices.delete(`${request.deviceNamespace}/${request.deviceName}`)
    if (method === 'RemoveDeviceModel') this.models.delete(`${request.modelNamespace}/${request.modelName}`)
    done(null, {})
  }
}

function idOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`
}

/** The value that a `google.protobuf.Any` wraps, as KubeEdge's mapper-framework unpacks it. */
export function unwrap({ type_url, value }: { type_url: string; value: Buffer }): unknown {
  const type = type_url.split('/').at(-1)
  if (type === 'google.protobuf.BoolValue') return value.length > 0
  if (type === 'google.protobuf.FloatValue') return value.length === 0 ? 0 : value.readFloatLE(1)
  if (type === 'google.protobuf.StringValue') return textOf(value)
  if (type === 'google.protobuf.Int64Value') return Number(BigInt.asIntN(64, varint(value, 1).value))
  throw new Error(`the mapper-framework does not know ${type}`)
}

function textOf(value: Buffer): string {
  return value.length === 0 ? '' : value.subarray(varint(value, 1).end).toString()
}

function varint(bytes: Buffer, from: number): { value: bigint; end: number } {
  let value = 0n
  for (let at = from; ; at++) {
    const byte = must(bytes[at], 'a byte')
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from))
    if (byte < 0x80) return { value, end: at + 1 }
  }
}
