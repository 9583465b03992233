import type { KubeObject } from '@kedge/shared/objects'

/** Manifests as people write them: of devices in KubeEdge's v1beta1 form, without a change. */

const devices = 'devices.kubeedge.io/v1beta1'

/** A room with a read-only temperature, a target within limits, a lamp that takes any text. */
export function roomModel(name = 'room'): KubeObject {
  return {
    apiVersion: devices,
    kind: 'DeviceModel',
    metadata: { name, namespace: 'default' },
    spec: {
      protocol: 'mqtt',
      properties: [
        { name: 'temperature', description: 'measured', type: 'INT', accessMode: 'ReadOnly', unit: 'degree Celsius' },
        { name: 'target', type: 'INT', accessMode: 'ReadWrite', minimum: '5', maximum: '1000000000' },
        { name: 'lamp', description: 'on or off', type: 'STRING', accessMode: 'ReadWrite' },
      ],
    },
  }
}

export function room(
  name: string,
  nodeName: string,
  { desired = {}, model = 'room' }: { desired?: Record<string, string>; model?: string } = {},
): KubeObject {
  const properties = ['temperature', 'target', 'lamp'].map((property) => ({
    name: property,
    ...(desired[property] === undefined ? {} : { desired: { value: desired[property] } }),
    reportCycle: 10_000,
    reportToCloud: true,
    // Where a property is read is for a driver to know: this device speaks KubeEdge's topics itself.
    visitors: { protocolName: 'mqtt' },
  }))
  const protocol = { protocolName: 'mqtt', configData: { clientID: name } }
  return {
    apiVersion: devices,
    kind: 'Device',
    metadata: { name, namespace: 'default', labels: { description: 'a-room' } },
    spec: { deviceModelRef: { name: model }, nodeName, properties, protocol },
  }
}

export function podOn(
  name: string,
  nodeName: string,
  { configMap, secret, simulate }: { configMap?: string; secret?: string; simulate?: unknown } = {},
): KubeObject {
  const volumes = [
    ...(configMap === undefined ? [] : [{ name: 'settings', configMap: { name: configMap } }]),
    ...(secret === undefined ? [] : [{ name: 'keys', secret: { secretName: secret } }]),
  ]
  const volumeMounts = volumes.map((volume) => ({ name: volume.name, mountPath: `/etc/${volume.name}` }))
  const annotations = simulate === undefined ? undefined : { 'kedge.io/simulate': JSON.stringify(simulate) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...(annotations && { annotations }) },
    spec: { nodeName, containers: [{ name: 'web', image: 'nginx:1.27', volumeMounts }], volumes },
  }
}

export function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data }
}

export function secret(name: string, stringData: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, stringData }
}
