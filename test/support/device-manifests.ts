import { parseAllDocuments } from 'yaml'

/** Manifests as KubeEdge's users write them: every field of v1beta1 comes up in one of them. */
const text = `
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: room-sensor
  namespace: plant
spec:
  properties:
  - {name: temperature, description: air, type: FLOAT, accessMode: ReadOnly, minimum: "-40", maximum: "85", unit: degree celsius}
  - {name: setpoint, type: INT, accessMode: ReadWrite, minimum: "5", maximum: "30"}
  - {name: serial, type: STRING, accessMode: ReadOnly}
  - {name: alarm, type: BOOLEAN, accessMode: ReadWrite}
  - {name: precise, type: DOUBLE}
  - {name: raw, type: BYTES}
  - name: camera
    type: STREAM
    visitors:
      protocolName: onvif
      configData: {format: jpg, frameCount: 30}
  protocol: modbus
  protocolConfigData: {timeout: 500}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: sensor-1
  namespace: plant
  labels: {description: hall-three}
spec:
  deviceModelRef: {name: room-sensor}
  nodeName: edge-1
  stateReport: {reportToCloud: true, reportCycle: 60000}
  properties:
  - name: temperature
    collectCycle: 2000
    reportCycle: 10000
    reportToCloud: true
    desired:
      value: ""
    visitors:
      protocolName: modbus
      configData:
        register: HoldingRegister
        offset: 2
        limit: 1
        scale: 0.1
        isSwap: false
        isRegisterSwap: true
        further: {bits: [1, 2, 3], nothing: null}
    pushMethod:
      mqtt: {address: "tcp://127.0.0.1:1883", topic: room/temperature, qos: 1, retained: true}
  - name: setpoint
    desired:
      value: "21"
      metadata: {type: int, timestamp: "1700000000000"}
    visitors: {protocolName: modbus, configData: {register: HoldingRegister, offset: 9}}
    pushMethod:
      http: {hostName: http://127.0.0.1, port: 8080, requestPath: /values, timeout: 500}
      otel: {endpointURL: http://127.0.0.1:4318/v1/metrics}
      anomalyDetection: {rule: {above: 30}}
  protocol:
    protocolName: modbus
    configData: {slaveID: 1, communicateMode: rtu, serialPort: /dev/ttyS0, baudRate: 9600}
  methods:
  - {name: comfort, description: sets the room to comfort, propertyNames: [setpoint]}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: lamp, namespace: plant}
spec:
  deviceModelRef: {name: lamp}
  nodeName: edge-1
  properties:
  - {name: power, desired: {value: "OFF"}}
  protocol: {protocolName: mqtt}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: tag, namespace: plant}
spec:
  deviceModelRef: {name: tag}
  nodeName: edge-2
  properties:
  - name: io-data
    visitors:
      protocolName: bluetooth
      configData:
        characteristicUUID: f000aa6504514000b000000000000000
        dataWrite: {"ON": [1], "OFF": [0]}
        dataConverter: {startIndex: 0, endIndex: 1, orderOfOperations: [{operationType: Multiply, operationValue: 0.03125}]}
    pushMethod:
      dbMethod:
        influxdb2:
          influxdb2ClientConfig: {url: http://127.0.0.1:8086, org: plant, bucket: tags}
          influxdb2DataConfig: {measurement: io, tag: {unit: none}, fieldKey: v}
        redis:
          redisClientConfig: {addr: 127.0.0.1:6379, db: 0, poolsize: 30, minIdleConns: 30}
        TDEngine:
          TDEngineClientConfig: {addr: 127.0.0.1:6041, dbName: tags}
        mysql:
          mysqlClientConfig: {addr: 127.0.0.1:3306, database: tags, userName: kedge}
  protocol: {protocolName: bluetooth, configData: {macAddress: "BC:6A:29:AE:CC:96"}}
status:
  reportToCloud: true
  reportCycle: 10000
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: unbound, namespace: plant}
spec:
  deviceModelRef: {}
`

export interface Manifest {
  apiVersion: string
  kind: 'Device' | 'DeviceModel'
  metadata: { name: string; namespace: string }
  spec: Record<string, unknown>
  status?: Record<string, unknown>
}

export const manifests: Manifest[] = parseAllDocuments(text).map((document) => document.toJS() as Manifest)
