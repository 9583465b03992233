import { join } from 'node:path'
import { type Devices, type DevicesOptions, startDevices } from '@kedge/edgecore/devices/host'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { DeviceReport, EventReport, Report } from '@kedge/shared/reports'
import { onTestFinished } from 'vitest'
import { DeviceClient } from './device-client.ts'
import { tempDir } from './temp-dir.ts'

/** The devices of one node over a real database and the embedded broker, without a cloud. */
export class DeviceNode {
  readonly store: Store
  readonly objects: Objects
  readonly outbox: Outbox
  readonly devices: Devices

  private constructor(store: Store, objects: Objects, outbox: Outbox, devices: Devices) {
    this.store = store
    this.objects = objects
    this.outbox = outbox
    this.devices = devices
  }

  static async start(options: Partial<DevicesOptions> & { dir?: string } = {}): Promise<DeviceNode> {
    const { dir = tempDir(), clock = systemClock, log = silentLog, ...rest } = options
    const store = Store.open({ path: join(dir, 'edge.db'), clock, log })
    const objects = new Objects(store.db)
    const outbox = new Outbox(store.db, clock)
    const devices = await startDevices({ store, objects, outbox, clock, log, nodeName: 'edge-1', port: 0, ...rest })
    const node = new DeviceNode(store, objects, outbox, devices)
    onTestFinished(() => node.stop())
    return node
  }

  async stop(): Promise<void> {
    await this.devices.stop()
    this.store.close()
  }

  /** What the sync does with a change from the cloud: commit, then wake. */
  async apply(...changed: KubeObject[]): Promise<void> {
    await this.devices.wake(await this.commitOnly(...changed))
  }

  async drop(...keys: Key[]): Promise<void> {
    await this.devices.wake(await this.dropOnly(...keys))
  }

  /** A change that is committed when the power goes. */
  commitOnly(...changed: KubeObject[]): Promise<Key[]> {
    return this.store.commit(() => changed.map((object) => this.#put(object)))
  }

  dropOnly(...keys: Key[]): Promise<Key[]> {
    return this.store.commit(() => {
      for (const key of keys) this.objects.drop(key)
      return keys
    })
  }

  #put(object: KubeObject): Key {
    const resource = object.kind === 'DeviceModel' ? 'devicemodels' : 'devices'
    const key = keyOf(resource, object.metadata.namespace ?? 'default', object.metadata.name)
    const text = contentText(resource, object)
    this.objects.put(key, text, hashOf(key, text), null)
    return key
  }

  connect(): Promise<DeviceClient> {
    return DeviceClient.connect(this.devices.port)
  }

  /** How many rows a table has. */
  rows(table: string): number {
    return this.store.db.prepare<[], { rows: number }>(`SELECT count(*) AS rows FROM ${table}`).get()?.rows ?? 0
  }

  reports(): Report[] {
    return this.outbox.all().map(({ report }) => report)
  }

  /** What is on its way to the cloud about a device. */
  report(name: string, namespace = 'default'): DeviceReport | undefined {
    return this.reports().find(
      (each): each is DeviceReport => each.is === 'device' && each.name === name && each.namespace === namespace,
    )
  }

  events(reason?: string): EventReport[] {
    return this.reports().filter(
      (each): each is EventReport => each.is === 'event' && (reason === undefined || each.reason === reason),
    )
  }
}

export interface DeviceOptions {
  namespace?: string
  uid?: string
  model?: string | null
  desired?: Record<string, string>
  labels?: Record<string, string>
  properties?: Record<string, unknown>[]
  protocol?: Record<string, unknown>
}

export function device(name: string, options: DeviceOptions = {}): KubeObject {
  const { namespace = 'default', uid = `uid-${namespace}-${name}`, model = 'room', desired = {}, labels } = options
  const { protocol = { protocolName: 'mqtt' } } = options
  const properties = options.properties ?? [
    { name: 'temperature' },
    { name: 'led', desired: desired.led === undefined ? undefined : { value: desired.led } },
    { name: 'level', desired: desired.level === undefined ? undefined : { value: desired.level } },
  ]
  return {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name, namespace, uid, labels },
    spec: { deviceModelRef: model === null ? undefined : { name: model }, nodeName: 'edge-1', properties, protocol },
  }
}

/** A model with a property of each sort: read-only, text, a number within limits. */
export function model(
  name = 'room',
  { namespace = 'default', properties }: { namespace?: string; properties?: Record<string, unknown>[] } = {},
): KubeObject {
  return {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'DeviceModel',
    metadata: { name, namespace, uid: `uid-model-${namespace}-${name}` },
    spec: {
      properties: properties ?? [
        { name: 'temperature', type: 'INT', accessMode: 'ReadOnly' },
        { name: 'led', type: 'STRING', accessMode: 'ReadWrite' },
        { name: 'level', type: 'INT', accessMode: 'ReadWrite', minimum: '0', maximum: '100' },
      ],
    },
  }
}
