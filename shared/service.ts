/** A part of a program that runs until it is told to stop. */
export interface Service {
  /** Resolves once stopped and everything it held is released; safe to call twice. */
  stop(): Promise<void>
}

/** Stops services in the reverse of the order they were started in, whatever one of them throws. */
export async function stopAll(started: readonly Service[], onError: (error: unknown) => void): Promise<void> {
  for (const service of [...started].reverse()) {
    await service.stop().catch(onError)
  }
}

/** Resolves after `ms` milliseconds, or at once when `signal` aborts; never throws. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
