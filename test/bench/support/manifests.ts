import type { KubeObject } from '@kedge/shared/objects'

const devices = 'devices.kubeedge.io/v1beta1'

export const devicesPath = `/apis/${devices}/namespaces/default/devices`

/** A sensor with a switch, as most examples of KubeEdge have one. */
export const sensorModel: KubeObject = {
  apiVersion: devices,
  kind: 'DeviceModel',
  metadata: { name: 'sensor', namespace: 'default' },
  spec: {
    properties: [
      { name: 'temperature', description: 'in degrees Celsius', type: 'STRING', accessMode: 'ReadOnly' },
      { name: 'switch', description: 'what the switch should show', type: 'STRING', accessMode: 'ReadWrite' },
    ],
  },
}

/** A device of that model, attached over MQTT. Its property 1 is the switch. */
export function sensor(name: string, nodeName: string): KubeObject {
  return {
    apiVersion: devices,
    kind: 'Device',
    metadata: { name, namespace: 'default', labels: { description: 'TemperatureSensor', model: 'sensor' } },
    spec: {
      deviceModelRef: { name: 'sensor' },
      nodeName,
      protocol: { protocolName: 'mqtt' },
      properties: [
        { name: 'temperature', reportToCloud: true, reportCycle: 10_000 },
        { name: 'switch', reportToCloud: true, desired: { value: 'off' } },
      ],
    },
  }
}

export function sensors(prefix: string, count: number, nodeName: string): KubeObject[] {
  return Array.from({ length: count }, (_, index) => sensor(`${prefix}-${index}`, nodeName))
}

export function configMap(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { 'settings.yaml': 'level: info\nperiod: 10s\n', value: '0' },
  } as KubeObject
}

export function secret(name: string): KubeObject {
  const data = { password: Buffer.from('not a real one').toString('base64') }
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, data } as KubeObject
}

/** A pod with one container and a ConfigMap. */
export function pod(name: string, nodeName: string, configMapName: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'bench' } },
    spec: {
      nodeName,
      containers: [
        { name: 'app', image: 'example.org/app:1.0', volumeMounts: [{ name: 'settings', mountPath: '/etc/app' }] },
      ],
      volumes: [{ name: 'settings', configMap: { name: configMapName } }],
    },
  }
}

/** A JSON patch that sets what a sensor's switch should show. */
export function desire(value: string): unknown {
  return [{ op: 'add', path: '/spec/properties/1/desired/value', value }]
}

export const deviceTopic = (name: string, action: string) => `$hw/events/device/default/${name}/${action}`

/** The payload of `twin/update` with which a sensor reports a temperature. */
export function report(value: string, eventId: string): string {
  return JSON.stringify({ event_id: eventId, twin: { temperature: { actual: { value } } } })
}
