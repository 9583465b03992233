import { setTimeout as pause } from 'node:timers/promises'

export interface Patience {
  /** Milliseconds until it is given up; generous, for it costs nothing where the condition comes true. */
  within?: number
  /** Milliseconds between two looks, at the least. */
  every?: number
}

/** Looks that take long are rarer, for they keep busy what is waited for; in milliseconds, how much rarer at the most. */
const longestPause = 200

/**
 * Waits until `look` gives a value that is neither undefined, null nor false, and resolves with it. A look that throws
 * counts as not yet; after the time is up, the last thrown error is the cause of the one thrown here.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  { within = 20_000, every = 20 }: Patience = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + within
  for (let cause: unknown; ; ) {
    const began = performance.now()
    try {
      const value = await look()
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>
      cause = undefined
    } catch (error) {
      cause = error
    }
    const now = performance.now()
    if (now > deadline) throw new Error(`not true within ${within} ms: ${look.toString()}`, { cause })
    await pause(Math.max(every, Math.min(4 * (now - began), longestPause)))
  }
}
