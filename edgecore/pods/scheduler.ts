/** Does something later. Tests turn it by hand. */
export interface Scheduler {
  /** Calls `run` once, after `ms` milliseconds, unless the returned function is called first. */
  after(ms: number, run: () => void): () => void
}

/** The longest wait of a Node.js timer; who waits longer is woken early and looks at the clock again. */
const longest = 2 ** 31 - 1

export const systemScheduler: Scheduler = {
  after(ms, run) {
    // A timer alone keeps no process alive.
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), longest)).unref()
    return () => clearTimeout(timer)
  },
}
