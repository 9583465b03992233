import { canonical } from '@kedge/shared/canonical'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Announcement } from '@kedge/shared/proposals'
import type { Service } from '@kedge/shared/service'
import type { Devices } from '../devices/host.ts'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'
import type { Outbox } from '../store/outbox.ts'
import { getMeta, type Store, setMeta } from '../store/store.ts'

export interface DiscoveredOptions {
  devices: Pick<Devices, 'announced' | 'onAnnounced'>
  store: Pick<Store, 'commit' | 'db'>
  outbox: Outbox
  scheduler?: Scheduler
  log: Log
}

/** Announcements come one by one, and all of them when the broker has just been opened. */
const calmMs = 1000
/** A report is no larger than this, in characters; of more, the last are left out. */
const maxChars = 512 * 1024
const maxDevices = 500
const toldName = 'discovered'

/**
 * Reports to the cloud what announces itself on the local broker, once it has been quiet for a moment.
 *
 * Invariant: what was reported last is known over a restart, so that hearing it all again is no news.
 */
export function reportDiscovered(options: DiscoveredOptions): Service {
  const { devices, store, outbox, log, scheduler = systemScheduler } = options
  let cancel: (() => void) | undefined
  let stopped = false

  function look(): void {
    cancel = undefined
    const announcements = bounded(devices.announced())
    const text = canonical(announcements)
    if (text === (getMeta(store.db, toldName) ?? '[]')) return
    store
      .commit(() => {
        setMeta(store.db, toldName, text)
        outbox.add({ is: 'discovered', announcements })
      })
      .catch((error: unknown) => {
        log.error({ reason: explain(error) }, 'announcements not reported')
        soon()
      })
  }

  function soon(): void {
    if (!stopped) cancel ??= scheduler.after(calmMs, look)
  }

  devices.onAnnounced(soon)
  return {
    stop: async () => {
      stopped = true
      cancel?.()
    },
  }
}

function bounded(announcements: readonly Announcement[]): Announcement[] {
  const kept: Announcement[] = []
  let chars = 0
  for (const each of announcements.slice(0, maxDevices)) {
    chars += JSON.stringify(each).length
    if (chars > maxChars) break
    kept.push(each)
  }
  return kept
}
