import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Service, sleep } from '@kedge/shared/service'
import { faultReason, StorageError } from './faults.ts'
import type { Store } from './store.ts'

export interface RenewalOptions<T extends Service> {
  /** Opens the store; `damaged` is the error that its file gave while it was open. */
  open: (damaged?: unknown) => Store
  /** Starts what runs over the store; `before` is what ran until now, to take over its ports. */
  start: (store: Store, before: T | undefined) => Promise<T>
  log: Log
  /** Milliseconds until a start that failed is tried again. */
  retryEvery?: number
}

export interface Renewed<T> extends Service {
  /** What runs now, or ran last while the next one is being started. */
  readonly current: T
  /** Takes an error that nobody caught: true when it came from the store's file, which is then opened anew. */
  survive(error: unknown): boolean
}

const defaultRetryMs = 2000
/** A store that is damaged as soon as it is opened is replaced so often before the first start is given up. */
const attempts = 3

/**
 * Keeps a service running over its store. When the store's file turns out to be damaged, or a store that was read from
 * memory can be written again, everything over it stops, the store is opened anew, and everything starts again from what
 * it holds: in this process, so that nothing else of it goes away. Rejects when the first start fails.
 *
 * Invariant: there is at most one store open, and nothing runs over one that is closed.
 */
export async function renewing<T extends Service>(options: RenewalOptions<T>): Promise<Renewed<T>> {
  const { log, retryEvery: retryMs = defaultRetryMs } = options
  const stopping = new AbortController()
  let damaged: unknown
  let renewal: Promise<void> | undefined
  let { store, service } = await firstStart(options)

  function watch(): void {
    store.onFault(() => {
      if (store.fault?.reason === 'Corrupt') renew(new Error(store.fault.message))
      else if (store.inMemory && store.fault === undefined) renew(undefined)
    })
  }

  function renew(why: unknown): void {
    damaged ??= why
    renewal ??= again().finally(() => {
      renewal = undefined
    })
  }

  async function again(): Promise<void> {
    // Whoever met the error first finishes what it is doing.
    await sleep(0)
    log.warn({ inMemory: store.inMemory, reason: damaged === undefined ? '' : explain(damaged) }, 'store opened anew')
    await service.stop().catch((error: unknown) => log.error({ reason: explain(error) }, 'stop failed'))
    store.close()
    while (!stopping.signal.aborted) {
      try {
        store = options.open(damaged)
        damaged = undefined
        service = await options.start(store, service)
        watch()
        return
      } catch (error) {
        log.error({ reason: explain(error), retryMs }, 'start over the store failed')
        store.close()
        if (faultReason(error) === 'Corrupt') damaged = error
        await sleep(retryMs, stopping.signal)
      }
    }
  }

  watch()
  return {
    get current() {
      return service
    },
    survive(error) {
      const reason = faultReason(error)
      if (reason === undefined && !isLate(error)) return false
      log.error({ reason: explain(error) }, 'storage fault that nobody caught')
      // What a commit was refused with has changed nothing; an error of the file itself may have cut anything short.
      if (reason === 'Corrupt') renew(error)
      else if (reason !== undefined && !(error instanceof StorageError)) renew(undefined)
      return true
    },
    async stop() {
      stopping.abort()
      await renewal
      await service.stop()
      store.close()
    },
  }
}

/** Of somebody who came late and met the store that was closed meanwhile (better-sqlite3's words). */
function isLate(error: unknown): boolean {
  return error instanceof TypeError && error.message === 'The database connection is not open'
}

async function firstStart<T extends Service>({ open, start, log }: RenewalOptions<T>) {
  let damaged: unknown
  for (let attempt = 1; ; attempt++) {
    const store = open(damaged)
    try {
      return { store, service: await start(store, undefined) }
    } catch (error) {
      store.close()
      damaged = faultReason(error) === 'Corrupt' ? error : undefined
      if (damaged === undefined || attempt === attempts) throw error
      log.error({ reason: explain(error) }, 'database damaged')
    }
  }
}
