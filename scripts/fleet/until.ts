import { setTimeout as pause } from 'node:timers/promises'
import { explain } from '@kedge/shared/errors'

export interface Waiting {
  /** The condition in words: `the API answers`. */
  what: string
  /** One that throws counts as not yet. */
  look(): Promise<boolean>
  /** Throws when waiting has become pointless. */
  check(): void
  signal: AbortSignal
  say(line: string): void
  /** Milliseconds. */
  within: number
}

/** Waits until `look` says yes; tells what it waits for every five seconds, and at the end how long it took. */
export async function until({ what, look, check, signal, say, within }: Waiting): Promise<void> {
  const started = performance.now()
  let nextWord = 5000
  for (;;) {
    check()
    signal.throwIfAborted()
    const { done, why } = await attempt(look)
    const waited = performance.now() - started
    if (done) return say(`  ${what} (${(waited / 1000).toFixed(1)} s)`)
    if (waited > within) throw new Error(`it did not come true in ${within / 1000} s that ${what}${why}`)
    if (waited > nextWord) {
      say(`  … waiting until ${what} (${Math.round(waited / 1000)} s)${why}`)
      nextWord += 5000
    }
    await pause(100)
  }
}

async function attempt(look: () => Promise<boolean>): Promise<{ done: boolean; why: string }> {
  try {
    return { done: await look(), why: '' }
  } catch (error) {
    return { done: false, why: `: ${explain(error)}` }
  }
}
