import { isoTime } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { NodeCondition } from '../reports/node-conditions.ts'
import { getMeta, type Store, setMeta } from '../store/store.ts'
import type { Distrust, NodeClock } from './node-clock.ts'

export interface TimekeepingOptions {
  store: Store
  clock: NodeClock
  log: Log
}

const metaName = 'time'
/** Milliseconds between two times that are kept: so far back may the clock fall over a power cut. */
const keepEvery = 600_000

/** Tells the clock the last time that this node knew, and keeps the time from now on. */
export function keepTime({ store, clock, log }: TimekeepingOptions): Service {
  const known = Number(getMeta(store.db, metaName))
  if (known > 0) clock.notBefore(known)
  const distrust = clock.distrust
  if (distrust) log.warn({ distrust, time: isoTime(clock.now()) }, 'clock not believed')
  const keep = () =>
    store
      .commit(() => setMeta(store.db, metaName, String(Math.floor(clock.now()))), 'lazy')
      .catch((error: unknown) => log.debug({ reason: explain(error) }, 'time not kept'))
  void keep()
  const timer = setInterval(() => void keep(), keepEvery).unref()
  return {
    async stop() {
      clearInterval(timer)
      if (store.fault === undefined) setMeta(store.db, metaName, String(Math.floor(clock.now())))
    },
  }
}

const sentences: Readonly<Record<Distrust, string>> = {
  BeforeRelease: 'the clock of the machine shows a time before this edgecore was written',
  BehindLastTime: 'the clock of the machine is behind the last time that this node knew',
  DiffersFromCloud: 'the clock of the machine and that of cloudcore differ by more than a minute',
}

/** The node's condition `ClockSynced`. */
export function clockCondition(clock: NodeClock): NodeCondition {
  const type = 'ClockSynced'
  const { distrust } = clock
  if (distrust === undefined) {
    return { type, status: 'True', reason: 'ClockPlausible', message: 'the clock of the machine can be true' }
  }
  const instead = clock.byCloud
    ? 'times are counted by the clock of cloudcore'
    : 'times are counted on from the last known one'
  const goesOn = distrust === 'DiffersFromCloud' ? 'one of them is to be set' : `until it is set, ${instead}`
  return { type, status: 'False', reason: distrust, message: `${sentences[distrust]}; ${goesOn}` }
}
