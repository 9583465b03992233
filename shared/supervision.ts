import type { Log } from './log.ts'
import type { Service } from './service.ts'

export interface SupervisionOptions {
  env: Readonly<Record<string, string | undefined>>
  /** Runs a program; resolves once it has ended, throws when it did not end well. */
  run: (program: string, args: readonly string[]) => Promise<void>
  log: Log
}

/**
 * Tells systemd that this process is ready, that it is alive, and that it stops (sd_notify(3)), where systemd has asked
 * for it. Node.js cannot write to systemd's socket itself, which takes datagrams only; `systemd-notify` does, a process
 * of some milliseconds at a third of WatchdogSec=. It runs from this process's event loop: one that hangs says nothing,
 * and systemd starts the program again. The unit needs NotifyAccess=all.
 */
export function supervised({ env, run, log }: SupervisionOptions): Service {
  if (!env.NOTIFY_SOCKET) return { stop: async () => {} }
  let complained = false
  const notify = (...words: string[]) =>
    run('systemd-notify', [`--pid=${process.pid}`, ...words]).catch((error: Error) => {
      if (!complained) log.warn({ reason: error.message }, 'systemd not told')
      complained = true
    })
  const ready = notify('--ready')
  const every = watchdogMs(env)
  const timer = every === undefined ? undefined : setInterval(() => void notify('WATCHDOG=1'), every / 3)
  timer?.unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await ready
      await notify('STOPPING=1')
    },
  }
}

/** For how long systemd waits for a sign of life of this process, in milliseconds; undefined when it does not wait. */
export function watchdogMs(env: SupervisionOptions['env'], pid = process.pid): number | undefined {
  if (env.WATCHDOG_PID && env.WATCHDOG_PID !== String(pid)) return undefined
  const ms = Number(env.WATCHDOG_USEC) / 1000
  return ms > 0 ? ms : undefined
}
