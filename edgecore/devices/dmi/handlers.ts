import type { DeviceName } from '@kedge/shared/device-topics'
import type { Entry } from '../registry.ts'
import type { Mappers } from './mappers.ts'
import { type Parsed, readRegister, readStates, readStatus } from './requests.ts'
import type { ManagerMethod } from './schema.ts'

/** What mappers may do with the devices of this node: what devices on MQTT do. */
export interface ReportedDevices {
  /** The device, or why there is none of that name. */
  find(name: DeviceName): Entry | string
  /** Keeps values; resolves with the reasons for those that the model refuses, by property. */
  keep(entry: Entry, values: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, string>>
  state(entry: Entry, state: string): Promise<void>
  warn(entry: Entry, reason: string, text: string): void
}

/** What answers a request; it rejects with a `Refused`, or with what went wrong here. */
export type Handlers = Readonly<Record<ManagerMethod, (request: unknown) => Promise<object>>>

const codes = { INVALID_ARGUMENT: 3, NOT_FOUND: 5 } as const

/** Why a request was not carried out: the caller's fault, told by a gRPC status. */
export class Refused extends Error {
  readonly code: number

  constructor(code: keyof typeof codes, message: string) {
    super(message)
    this.code = codes[code]
  }
}

/** `v1beta1.DeviceManagerService`. Each answer comes after what it says is on disk. */
export function handlersOf(mappers: Pick<Mappers, 'register'>, devices: ReportedDevices): Handlers {
  const find = (name: DeviceName) => {
    const entry = devices.find(name)
    if (typeof entry === 'string') throw new Refused('NOT_FOUND', entry)
    return entry
  }
  return {
    MapperRegister: async (request) => {
      const { mapper, withData } = parsed(readRegister(request))
      return mappers.register(mapper, withData)
    },
    ReportDeviceStatus: async (request) => {
      const { values, ...name } = parsed(readStatus(request))
      const entry = find(name)
      const refused = await devices.keep(entry, values)
      if (refused.size === 0) return {}
      const text = [...refused].map(([property, reason]) => `${property}: ${reason}`).join('; ')
      devices.warn(entry, 'WriteRefused', text)
      // It travels in a header.
      throw new Refused('INVALID_ARGUMENT', text.slice(0, 1024))
    },
    ReportDeviceStates: async (request) => {
      const { state, ...name } = parsed(readStates(request))
      await devices.state(find(name), state)
      return {}
    },
  }
}

function parsed<T>(request: Parsed<T>): T {
  if (!request.ok) throw new Refused('INVALID_ARGUMENT', request.reason)
  return request.is
}
