import type { Clock } from '@kedge/shared/clock'
import type { Device } from '@kedge/shared/devices'
import type { Log } from '@kedge/shared/log'
import type { Model } from '@kedge/shared/twin'

/**
 * A driver speaks one kind of device's own language, so that a device of that kind needs no mapper. It is chosen by
 * `spec.protocol.protocolName`.
 */
export interface Driver {
  /** The values of `spec.protocol.protocolName` that choose this driver. */
  readonly protocols: readonly string[]
  /**
   * Starts serving one device. Throws when the configuration is wrong; the message names the field and what would be
   * right. What goes wrong later is told through `host.failed`. Nothing may be thrown out of a timer or a callback.
   */
  start(device: DriverDevice, host: DriverHost): RunningDevice
}

/** The device as it is when the driver starts. A change of anything but desired values restarts the driver. */
export interface DriverDevice {
  namespace: string
  name: string
  spec: NonNullable<Device['spec']>
  model: Model
  /** Desired values in force, by property. */
  desired: ReadonlyMap<string, string>
  /** Values that were reported last, by property. */
  reported: ReadonlyMap<string, string>
}

export interface RunningDevice {
  /** Desired values that changed: an edit in the cloud or a local one. Empty text means that nothing is desired now. */
  desired(changes: Readonly<Record<string, string>>): void
  /** Ends timers and connections; resolves when nothing more will be reported. Safe to call twice. */
  stop(): Promise<void>
}

/** What a driver may do: the same as a device on MQTT, and nothing else. */
export interface DriverHost {
  /**
   * Reports values by property. Resolves once they are kept; rejects when the model refuses one of them, and then none
   * is taken. A value equal to the one held costs nothing.
   */
  report(values: Readonly<Record<string, string>>): Promise<void>
  /** Reports the state of the device: ok, online, offline, unhealthy or unknown. */
  state(state: string): Promise<void>
  /** Says that something is wrong with this device, for the log and its events. Repeats are counted, not repeated. */
  failed(reason: string): void
  /** Leaves a Normal event on the device. */
  tell(reason: string, message: string): void
  readonly clock: Clock
  /** A draw from [0, 1). */
  random(): number
  readonly log: Log
}
