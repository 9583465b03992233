import { kinds } from '@kedge/shared/objects'
import type { EventReport } from '@kedge/shared/reports'
import { newEventId } from '../reports/event-id.ts'
import type { Entry } from './registry.ts'

/** At most one event per device and reason in this time, in milliseconds; those between are counted. */
const interval = 60_000

/** An event about a device, for `kubectl describe device`. */
export function deviceEvent(
  { namespace, name, uid }: Pick<Entry, 'namespace' | 'name' | 'uid'>,
  { now, type, reason, message }: { now: number } & Pick<EventReport, 'type' | 'reason' | 'message'>,
): EventReport {
  const regarding = { ...kinds.devices, namespace, name, uid }
  const id = newEventId(now)
  return { is: 'event', id, regarding, type, reason, message: message.slice(0, 1024), at: now, by: 'devices' }
}

interface Told {
  /** Monotonic milliseconds. */
  at: number
  unsaid: number
  /** In all. */
  count: number
}

/** How often a reason was given for a device, told or not. */
export interface Warned {
  device: string
  reason: string
  count: number
}

/** Decides which refused writes become events, so that a device that repeats a mistake does not flood the cloud. */
export class Refusals {
  readonly #told = new Map<string, Map<string, Told>>()

  /** What to say now, or undefined when this device has said such a thing lately. `at` is monotonic. */
  say({ device, reason, text, at }: { device: string; reason: string; text: string; at: number }): string | undefined {
    const ofDevice = this.#told.get(device) ?? new Map<string, Told>()
    this.#told.set(device, ofDevice)
    const told = ofDevice.get(reason)
    const count = (told?.count ?? 0) + 1
    if (told !== undefined && at - told.at < interval) {
      ofDevice.set(reason, { ...told, unsaid: told.unsaid + 1, count })
      return undefined
    }
    ofDevice.set(reason, { at, unsaid: 0, count })
    return told?.unsaid ? `${text} (and ${told.unsaid} more since the last event)` : text
  }

  /** Of the devices that are there, since edgecore started. */
  *counts(): Iterable<Warned> {
    for (const [device, reasons] of this.#told) {
      for (const [reason, { count }] of reasons) yield { device, reason, count }
    }
  }

  forget(device: string): void {
    this.#told.delete(device)
  }
}
