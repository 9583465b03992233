import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority } from '@kedge/cloudcore/identity/authority'
import { caKeyName, sealingKey } from '@kedge/cloudcore/identity/sealed-key'
import { accessFaults } from '@kedge/edgecore/devices/access-settings'
import type { LocalBrokerSettings } from '@kedge/edgecore/settings'
import { systemClock } from '@kedge/shared/clock'
import { UserError } from '@kedge/shared/errors'
import { describe, expect, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

const lamp = '$hw/events/device/default/lamp'
const update = { twin: { led: { actual: { value: 'ON' } } } }
/** The password is secret; written by mosquitto_passwd 2.0.11. */
const secret =
  '$7$101$XLDfoAJWsyKNuDui$zuHT9+WIGo7bToTUkknGq5GR/K+JdwznrqvX0hC05MXWV0HppLsikLaJXFBIXg7P7npequcIL1NU49nUh6q4XA=='

function file(text: string): string {
  const path = join(tempDir(), 'file')
  writeFileSync(path, text)
  return path
}

async function start(mqtt: LocalBrokerSettings) {
  const node = await DeviceNode.start({ mqtt })
  await node.apply(model(), device('lamp'), device('fan'))
  return node
}

describe('with passwords', () => {
  const passwords = () => file(`default/lamp:${secret}\nmapper:${secret}\n`)
  const as = (username: string) => ({ username, password: 'secret' })

  test.each([
    ['no name', {}],
    ['another password', { username: 'mapper', password: 'guess' }],
    ['a name that there is not', { username: 'x', password: 'secret' }],
  ])('%s is refused', async (_, options) => {
    const node = await start({ mqttPasswords: passwords() })
    await expect(DeviceClient.connect(node.devices.port, options)).rejects.toThrow(/refused/)
  })

  test('a device has its own topics and the free ones, and no other device hears or moves it', async () => {
    const node = await start({ mqttPasswords: passwords() })
    const own = await DeviceClient.connect(node.devices.port, as('default/lamp'))
    await own.subscribe(`${lamp}/#`, 'free/#')
    await own.publish(`${lamp}/twin/update`, update)
    await own.message(`${lamp}/twin/update/result`)
    await own.publish('free/x', '1')
    await own.message('free/x')
    await expect(own.subscribe('$hw/events/device/default/fan/#')).rejects.toThrow()
    own.mqtt.publish('$hw/events/device/default/fan/twin/update', JSON.stringify(update), { qos: 1 })
    await eventually(() => !own.mqtt.connected)
    expect([node.report('lamp')?.twins?.led?.reported?.value, node.report('fan')]).toEqual(['ON', undefined])
  })

  test('an access file gives a mapper every device', async () => {
    const mqttAcl = file('user mapper\ntopic $hw/#\n')
    const node = await start({ mqttPasswords: passwords(), mqttAcl })
    const mapper = await DeviceClient.connect(node.devices.port, as('mapper'))
    await mapper.subscribe('$hw/events/device/+/+/twin/update/result')
    await mapper.publish(`${lamp}/twin/update`, update)
    await mapper.message(`${lamp}/twin/update/result`)
    await expect(mapper.subscribe('free/#')).rejects.toThrow()
  })

  test('a session that was begun by another user gives nothing of it away', async () => {
    const node = await start({ mqttPasswords: passwords(), mqttAcl: file('user mapper\ntopic $hw/#\ntopic other\n') })
    const session = { clean: false, clientId: 's' }
    const mapper = await DeviceClient.connect(node.devices.port, { ...session, ...as('mapper') })
    await mapper.subscribe(`${lamp}/twin/update/result`, 'other')
    await mapper.mqtt.endAsync()
    const thief = await DeviceClient.connect(node.devices.port, { ...session, ...as('default/lamp') })
    const again = await DeviceClient.connect(node.devices.port, as('mapper'))
    await again.publish(`${lamp}/twin/update`, update)
    await eventually(() => node.report('lamp'))
    const back = await DeviceClient.connect(node.devices.port, { ...session, ...as('mapper') })
    await again.publish('other', 'x')
    await back.message('other')
    expect(thief.seen).toEqual([])
  })
})

test('TLS with client certificates: the common name is the user, and without one nobody comes in', async () => {
  const dir = tempDir()
  const authority = await Authority.open(dir, systemClock, sealingKey(join(dir, caKeyName)))
  const server = await authority.serverPair({ dns: ['localhost'], ips: ['127.0.0.1'] })
  const { cert, key } = await authority.clientPair({ user: 'default/lamp', groups: [], days: 1 })
  const ca = file(authority.cert)
  const node = await start({
    mqttTlsCert: file(server.pair.cert),
    mqttTlsKey: file(server.pair.key),
    mqttTlsClientCa: ca,
  })
  const tls = { protocol: 'mqtts', ca: authority.cert } as const
  const client = await DeviceClient.connect(node.devices.port, { ...tls, cert, key })
  await client.subscribe(`${lamp}/#`)
  await client.publish(`${lamp}/twin/update`, update)
  await client.message(`${lamp}/twin/update/result`)
  await expect(client.subscribe('$hw/#')).rejects.toThrow()
  await expect(DeviceClient.connect(node.devices.port, { ...tls, connectTimeout: 2000 })).rejects.toThrow()
  // Plain MQTT gets no answer from a TLS server but the end of its connection.
  await expect(DeviceClient.connect(node.devices.port, { connectTimeout: 2000 })).rejects.toThrow()
})

test.each([
  [() => ({ mqttPasswords: '/nowhere/pw' }), '/nowhere/pw cannot be read'],
  [() => ({ mqttPasswords: file('a:b\n') }), 'line 1: not as mosquitto_passwd writes it'],
  [() => ({ mqttPasswords: file(`a:${secret}\n`), mqttAcl: file('allow x\n') }), 'line 1: found "allow x"'],
])('a file that cannot be used ends the start with its name and line: %#', async (given, reason) => {
  const mqtt = given()
  const failed = await DeviceNode.start({ mqtt }).catch((error: unknown) => error)
  expect(failed).toBeInstanceOf(UserError)
  expect((failed as Error).message).toContain(reason)
})

describe('settings', () => {
  const none = {
    mqttHost: '127.0.0.1',
    mqttPasswords: undefined,
    mqttAcl: undefined,
    mqttTlsCert: undefined,
    mqttTlsKey: undefined,
    mqttTlsClientCa: undefined,
  }
  test.each([
    [{}, []],
    [{ mqttHost: 'localhost' }, []],
    [{ mqttHost: '127.1.2.3' }, []],
    [{ mqttHost: '0.0.0.0' }, ['mqtt-host']],
    [{ mqttHost: '192.168.1.5', mqttTlsCert: 'a', mqttTlsKey: 'b' }, ['mqtt-host']],
    [{ mqttHost: '0.0.0.0', mqttPasswords: 'p' }, []],
    [{ mqttHost: '0.0.0.0', mqttTlsClientCa: 'c', mqttTlsCert: 'a', mqttTlsKey: 'b' }, []],
    [{ mqttTlsCert: 'a' }, ['mqtt-tls-cert']],
    [{ mqttTlsKey: 'a' }, ['mqtt-tls-key']],
    [{ mqttTlsClientCa: 'c' }, ['mqtt-tls-client-ca']],
    [{ mqttAcl: 'a' }, ['mqtt-acl']],
  ])('%j: %j', (given, names) => {
    expect(accessFaults({ ...none, ...given }).map(({ name }) => name)).toEqual(names)
  })
})
