// A gRPC mapper for the protocol "echo", whose devices do at once what is desired: node mapper.js EDGECORE-SOCKET
import { join } from 'node:path'
import { credentials, loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const edgecoreSocket = process.argv[2] ?? '/etc/kubeedge/dmi.sock'
const mySocket = join(edgecoreSocket, '..', 'echo.sock')
const proto = join(import.meta.dirname, '../../../edgecore/devices/dmi/dmi.proto')
const { v1beta1 } = loadPackageDefinition(loadSync(proto, { keepCase: true, defaults: true }))

const edgecore = new v1beta1.DeviceManagerService(`unix:${edgecoreSocket}`, credentials.createInsecure())

function obey({ request: { device } }, done) {
  done(null, {})
  const twins = device.spec.properties.map(({ name, desired }) => ({ propertyName: name, reported: desired }))
  const about = { deviceName: device.name, deviceNamespace: device.namespace }
  const say = (error) => error && console.error(error.message)
  edgecore.ReportDeviceStates({ ...about, state: 'online' }, say)
  edgecore.ReportDeviceStatus({ ...about, reportedDevice: { twins } }, say)
}
const pass = (_, done) => done(null, {})

const server = new Server()
server.addService(v1beta1.DeviceMapperService.service, {
  RegisterDevice: obey,
  UpdateDevice: obey,
  RemoveDevice: pass,
  CreateDeviceModel: pass,
  UpdateDeviceModel: pass,
  RemoveDeviceModel: pass,
  GetDevice: pass,
})
server.bindAsync(`unix:${mySocket}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
  const mapper = { name: 'echo', version: 'v1', api_version: 'v1beta1', protocol: 'echo', state: 'ok' }
  edgecore.MapperRegister({ withData: false, mapper: { ...mapper, address: Buffer.from(mySocket) } }, (error) => {
    if (error) throw error
  })
})
