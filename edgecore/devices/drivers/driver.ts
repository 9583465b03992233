import type { Clock } from '@kedge/shared/clock'
import type { Device } from '@kedge/shared/devices'
import type { Log } from '@kedge/shared/log'
import type { Model } from '@kedge/shared/twin'
import type { Topics } from './topics.ts'
import type { Webhooks } from './webhooks.ts'

/**
 * A driver speaks one kind of device's own language, so that a device of that kind needs no mapper. It is chosen by
 * `spec.protocol.protocolName`.
 */
export interface Driver {
  /** The values of `spec.protocol.protocolName` that choose this driver. */
  readonly protocols: readonly string[]
  /**
   * Starts serving one device. Throws a `ConfigError` when the description of the device is wrong; the message names the
   * field and what would be right, and the driver is started again when the description changes. After any other error it
   * is started again with back-off. What goes wrong later is told through `host.failed`. Nothing should be thrown out
   * of a timer or a callback of its own: `host.guard` sees to that; of the drivers of others it is caught (`blame.ts`).
   */
  start(device: DriverDevice, host: DriverHost): RunningDevice | Promise<RunningDevice>
}

/** A driver whose code is loaded when the first device needs it. */
export interface LazyDriver {
  readonly protocols: readonly string[]
  /** Whether a device of these protocols is one for this driver; all are, unless this says otherwise. */
  serves?(device: Pick<DriverDevice, 'spec'>): boolean
  load(): Promise<Pick<Driver, 'start'>>
}

/** The device as it is when the driver starts. A change of anything but desired values restarts the driver. */
export interface DriverDevice {
  namespace: string
  name: string
  /** With what the DeviceModel says of the protocol and of visitors, where the device does not say it itself. */
  spec: NonNullable<Device['spec']>
  model: Model
  /** Desired values in force, by property. */
  desired: ReadonlyMap<string, string>
  /** Values that were reported last, by property. */
  reported: ReadonlyMap<string, string>
}

export interface RunningDevice {
  /**
   * Desired values that changed: an edit in the cloud or a local one. Empty text means that nothing is desired now. With
   * a promise, the next changes come when it has settled, and one that rejects is told as a failure; one that does not
   * settle in time has the driver of this device started again.
   */
  desired(changes: Readonly<Record<string, string>>): void | Promise<void>
  /** Ends timers and connections; resolves when nothing more will be reported. Safe to call twice. */
  stop(): Promise<void>
}

/** What a driver may do: the same as a device on MQTT, and nothing else. */
export interface DriverHost {
  /**
   * Reports values by property. Resolves once they are kept, or replaced by newer ones; rejects with the reasons when the
   * model refuses some of them, and the others are taken. A value equal to the one held costs nothing. A property's
   * `reportCycle` holds values back, and a device that reports too often has them merged: the last one always arrives.
   */
  report(values: Readonly<Record<string, string>>): Promise<void>
  /** Reports the state of the device: ok, online, offline, unhealthy or unknown. Say it as often as you hear from it. */
  state(state: DeviceState): Promise<void>
  /** Says that something is wrong with this device, for the log and its events. Repeats are counted, not repeated. */
  failed(reason: string): void
  /** Leaves a Normal event on the device. */
  tell(reason: string, message: string): void
  /** Asks to be stopped and started again, with back-off: for what the driver cannot mend itself. */
  restart(reason: string): void
  /** The same function, but what it throws or rejects with is told as a failure of this device: for timers, callbacks. */
  guard<A extends unknown[]>(act: (...args: A) => unknown): (...args: A) => void
  /** The local MQTT broker. */
  readonly topics: Topics
  /** The HTTP endpoint for devices that call by themselves. */
  readonly webhooks: Webhooks
  readonly clock: Clock
  /** A draw from [0, 1). */
  random(): number
  readonly log: Log
}

export type DeviceState = 'ok' | 'online' | 'offline' | 'unhealthy' | 'unknown'

/** The description of a device is wrong: trying again is no use until it changes. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}
