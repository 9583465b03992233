import { AsyncLocalStorage } from 'node:async_hooks'
import { explain } from '@kedge/shared/errors'
import type { Driver, DriverHost, RunningDevice } from './driver.ts'

type Started = Pick<Driver, 'start'>

/** Whose code runs. Made with the first driver of others: what is built in needs none, and promises are cheaper without. */
let whose: AsyncLocalStorage<DriverHost | undefined> | undefined
/** Hosts of which a fault was logged with its stack. */
const logged = new WeakSet<DriverHost>()

/**
 * A driver of somebody else, all of whose code is known to be that of its device: also timers and callbacks of its own,
 * where nothing catches what is thrown. What edgecore does when the driver calls it is edgecore's.
 */
export function answerable(driver: Started): Started {
  whose ??= new AsyncLocalStorage()
  const owner = whose
  return {
    start: (device, host) => {
      const as = <T>(act: () => T): T => owner.run(host, act)
      const started = as(() => driver.start(device, outward(host, owner)))
      return started instanceof Promise ? started.then((running) => inward(running, as)) : inward(started, as)
    },
  }
}

/**
 * Takes an error that nobody caught: true when it is a driver's, whose device shows it and whose driver is started again;
 * the process goes on.
 */
export function blame(error: unknown): boolean {
  const host = whose?.getStore()
  if (host === undefined) return false
  whose?.run(undefined, () => {
    if (!logged.has(host)) host.log.error({ stack: (error as Error)?.stack ?? explain(error) }, 'driver threw')
    logged.add(host)
    host.restart(`thrown and not caught: ${explain(error)}`)
  })
  return true
}

function inward(running: RunningDevice, as: <T>(act: () => T) => T): RunningDevice {
  return { desired: (changes) => as(() => running.desired(changes)), stop: () => as(() => running.stop()) }
}

/** What the driver calls runs as edgecore; promises it gets are the driver's own, so that one nobody catches is too. */
function outward(host: DriverHost, owner: AsyncLocalStorage<DriverHost | undefined>): DriverHost {
  const out = <T>(act: () => T): T => owner.run(undefined, act)
  const back =
    <A extends unknown[], R>(hear: (...args: A) => R) =>
    (...args: A): R =>
      owner.run(host, () => hear(...args))
  return {
    report: async (values) => await out(() => host.report(values)),
    state: async (state) => await out(() => host.state(state)),
    failed: (reason) => out(() => host.failed(reason)),
    tell: (reason, message) => out(() => host.tell(reason, message)),
    restart: (reason) => out(() => host.restart(reason)),
    guard: (act) => host.guard(back(act)),
    topics: {
      subscribe: (filter, hear) => out(() => host.topics.subscribe(filter, back(hear))),
      publish: async (message) => await out(() => host.topics.publish(message)),
    },
    webhooks: { open: async (path, hear) => await out(() => host.webhooks.open(path, back(hear))) },
    clock: host.clock,
    random: () => host.random(),
    log: host.log,
  }
}
