import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type { BaseHost } from './drivers/instance.ts'
import { deviceEvent } from './refusals.ts'
import type { Entry, Registry } from './registry.ts'
import type { Outcome, Requests } from './requests.ts'
import type { Transaction, Writer } from './writer.ts'

export interface HostParts {
  registry: Registry
  requests: Requests
  writer: Writer
  clock: Clock
  log: Log
  random: () => number
  /** Tells everyone what follows from work that is committed. */
  tell: (outcome: Outcome) => void
  /** Work that nobody waits for. */
  note: (work: (transaction: Transaction) => void) => void
}

/** What the attachment of a device, its driver or its mapper, may do; nothing once the device is another of that name. */
export function baseHost({ id, uid }: Entry, parts: HostParts): BaseHost {
  const { registry, requests, writer, clock, log, random, note } = parts
  const current = () => {
    const entry = registry.get(id)
    return entry?.uid === uid ? entry : undefined
  }
  return {
    random,
    log: log.child({ device: id }),
    keep: (values) => keep(values, current, parts),
    state: (state) =>
      writer.submit((transaction) => {
        const entry = current()
        if (entry) requests.setState(transaction, entry, state)
      }),
    failed: (reason) =>
      note((transaction) => {
        const entry = current()
        if (entry) requests.warn(transaction, entry, { reason: 'DriverFailed', text: reason })
      }),
    tell: (reason, message) =>
      note((transaction) => {
        const entry = current()
        const event = { now: clock.now(), type: 'Normal' as const, reason, message }
        if (entry) transaction.event(deviceEvent(entry, event))
      }),
  }
}

/** Keeps what a driver reports; resolves with the reasons for what the model refuses, by property. */
async function keep(
  values: Readonly<Record<string, string>>,
  current: () => Entry | undefined,
  { requests, writer, tell }: HostParts,
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>()
  const left = new Map(Object.entries(values))
  const done = await writer.submit((transaction) => {
    const entry = current()
    while (entry !== undefined && left.size > 0) {
      const done = requests.reported(transaction, entry, Object.fromEntries(left))
      if (!('refusal' in done)) return done
      // The others of the same report are none the worse for it.
      refused.set(done.refusal.property, done.refusal.reason)
      left.delete(done.refusal.property)
    }
    return undefined
  })
  if (done !== undefined) tell(done)
  return refused
}
