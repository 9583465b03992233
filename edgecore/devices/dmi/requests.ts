import { isPropertyName } from '@kedge/shared/twin'
import * as z from 'zod'
import { badKey } from '../messages.ts'

/** The requests of mappers, as the gRPC library decodes them, and what is wrong with them. */

const value = z.object({ value: z.string() })

const Status = z.object({
  deviceName: z.string(),
  deviceNamespace: z.string(),
  reportedDevice: z
    .object({ twins: z.array(z.object({ propertyName: z.string(), reported: value.nullish() })) })
    .nullish(),
})

const States = z.object({ deviceName: z.string(), deviceNamespace: z.string(), state: z.string() })

const Register = z.object({
  withData: z.boolean(),
  mapper: z
    .object({
      name: z.string(),
      version: z.string(),
      api_version: z.string(),
      protocol: z.string(),
      address: z.instanceof(Buffer),
    })
    .nullish(),
})

export interface MapperInfo {
  name: string
  version: string
  apiVersion: string
  protocol: string
  /** The path of a Unix socket. */
  address: string
}

export type Parsed<T> = { ok: true; is: T } | { ok: false; reason: string }

interface Reported {
  namespace: string | undefined
  name: string
}

const bad = (reason: string) => ({ ok: false as const, reason })

/**
 * Reads a report of values. What the mapper says it has observed of desired values is not taken: edgecore told it those,
 * and an observation that is late must not undo an edit.
 */
export function readStatus(request: unknown): Parsed<Reported & { values: Record<string, string> }> {
  const parsed = Status.safeParse(request)
  if (!parsed.success) return bad('ReportDeviceStatusRequest is invalid data')
  const { deviceName, deviceNamespace, reportedDevice } = parsed.data
  if (deviceName === '') return bad('deviceName is empty: name the device')
  const twins = reportedDevice?.twins ?? []
  if (twins.length === 0) return bad('ReportDeviceStatusRequest does not have twin data')
  const values: Record<string, string> = {}
  for (const { propertyName, reported } of twins) {
    if (!isPropertyName(propertyName)) return bad(`${propertyName.slice(0, 128)}: ${badKey}`)
    // A twin without a reported value says nothing.
    if (reported) values[propertyName] = reported.value
  }
  return { ok: true, is: { namespace: deviceNamespace || undefined, name: deviceName, values } }
}

/** What mappers call a state, and what it is here. */
const states: Readonly<Record<string, string>> = {
  ok: 'ok',
  online: 'online',
  offline: 'offline',
  disconnected: 'offline',
  unhealthy: 'unhealthy',
  unknown: 'unknown',
}

export function readStates(request: unknown): Parsed<Reported & { state: string }> {
  const parsed = States.safeParse(request)
  if (!parsed.success) return bad('ReportDeviceStatesRequest is invalid data')
  const { deviceName, deviceNamespace, state } = parsed.data
  if (deviceName === '') return bad('deviceName is empty: name the device')
  const given = state.toLowerCase()
  const known = Object.hasOwn(states, given) ? states[given] : undefined
  if (known === undefined) {
    return bad(`state must be one of ${Object.keys(states).join(', ')}, not "${state.slice(0, 64)}"`)
  }
  return { ok: true, is: { namespace: deviceNamespace || undefined, name: deviceName, state: known } }
}

/** Longest path of a Unix socket, in bytes (Linux, `sun_path` with its final zero). */
export const maxSocketPath = 107

export function readRegister(request: unknown): Parsed<{ withData: boolean; mapper: MapperInfo }> {
  const parsed = Register.safeParse(request)
  if (!parsed.success) return bad('MapperRegisterRequest is invalid data')
  const { withData, mapper } = parsed.data
  if (!mapper) return bad('fail to register mapper because mapper is missing: give name, protocol and address')
  const { name, version, api_version: apiVersion, protocol } = mapper
  const fail = (reason: string) => bad(`fail to register mapper ${name} because ${reason}`)
  if (protocol === '') return fail('the protocol is nil: give the spec.protocol.protocolName of its devices')
  const address = mapper.address.toString('utf8').replace(/^unix:(\/\/)?/, '')
  if (!/^\/[^\0]*$/s.test(address)) return fail('address is no absolute path of a Unix socket')
  if (mapper.address.length > maxSocketPath) return fail(`address is longer than ${maxSocketPath} bytes`)
  // As with KubeEdge a mapper may have no name; its protocol stands in.
  return { ok: true, is: { withData, mapper: { name: name || protocol, version, apiVersion, protocol, address } } }
}
