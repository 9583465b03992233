import { isIP } from 'node:net'
import type { Fault } from '@kedge/shared/settings'

/** Who may use the local broker, as the settings say it: paths of files. */
export interface AccessSettings {
  mqttPasswords: string | undefined
  mqttAcl: string | undefined
  mqttTlsCert: string | undefined
  mqttTlsKey: string | undefined
  mqttTlsClientCa: string | undefined
}

/** What is wrong with the settings of the local broker: beyond loopback it needs to know its clients. */
export function accessFaults(settings: AccessSettings & { mqttHost: string }): Fault[] {
  const { mqttHost, mqttPasswords, mqttTlsClientCa, mqttTlsCert, mqttTlsKey, mqttAcl } = settings
  const faults: Fault[] = []
  const knows = mqttPasswords !== undefined || mqttTlsClientCa !== undefined
  if (!isLoopback(mqttHost) && !knows) {
    const advice = 'give --mqtt-passwords FILE, or --mqtt-tls-client-ca FILE, so that not everybody may be a device'
    faults.push({ name: 'mqtt-host', found: `${mqttHost} is not this machine alone`, advice })
  }
  const lone = (name: string, with_: string) =>
    faults.push({ name, found: 'given alone', advice: `give ${with_} as well` })
  if (mqttTlsCert !== undefined && mqttTlsKey === undefined) lone('mqtt-tls-cert', '--mqtt-tls-key')
  if (mqttTlsKey !== undefined && mqttTlsCert === undefined) lone('mqtt-tls-key', '--mqtt-tls-cert')
  if (mqttTlsClientCa !== undefined && mqttTlsCert === undefined)
    lone('mqtt-tls-client-ca', '--mqtt-tls-cert and --mqtt-tls-key')
  if (mqttAcl !== undefined && !knows) lone('mqtt-acl', '--mqtt-passwords or --mqtt-tls-client-ca')
  return faults
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
