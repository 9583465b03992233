import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How edgecore has V8 work: `little` memory, or `fast` for a while. */
export type Effort = 'little' | 'fast'

const flags: Record<Effort, readonly string[]> = {
  // The optimizing compiler alone is 4 MB of Node's binary, which nothing touches until it first runs.
  little: ['--no-opt', '--no-sparkplug', '--optimize-for-size', '--heap-growing-percent=20'],
  fast: ['--opt', '--sparkplug', '--no-optimize-for-size', '--heap-growing-percent=50'],
}

export interface Pace {
  effort: Effort
  /** Looks in a row that speak for the other effort. */
  against: number
}

/** Milliseconds from one look to the next. */
const every = 2000
/** Shares of a core: from one on edgecore has much to do, below the other it has little. */
const much = 0.3
const few = 0.2
/** After so many looks in a row: the start of edgecore is no reason to hurry, a pause of devices none to slow down. */
const patience: Record<Effort, number> = { little: 2, fast: 30 }

/** The pace after a look at which edgecore had taken this share of a core. */
export function nextPace({ effort, against }: Pace, share: number): Pace {
  const speaksAgainst = effort === 'little' ? share >= much : share < few
  if (!speaksAgainst) return { effort, against: 0 }
  if (against + 1 < patience[effort]) return { effort, against: against + 1 }
  return { effort: effort === 'little' ? 'fast' : 'little', against: 0 }
}

/**
 * Whether the heap has grown so much since `kept` bytes were left in it that it is to be collected. V8 itself, while messages
 * come evenly, waits until it has grown by 8 MB and more. A large heap is left to it: the pause would be too long.
 */
export function worthCollecting(used: number, kept: number): boolean {
  return used < 40e6 && used > kept * 1.1 + 3e5
}

export function setEffort(effort: Effort): void {
  for (const flag of flags[effort]) setFlagsFromString(flag)
}

/**
 * Looks at the processor that this process takes, sets the effort by it, and collects garbage while that is little. It does
 * not keep the process alive.
 */
export function watchEffort(): void {
  let pace: Pace = { effort: 'little', against: 0 }
  let used = process.cpuUsage()
  let at = performance.now()
  const look = () => {
    const { user, system } = process.cpuUsage(used)
    const now = performance.now()
    const next = nextPace(pace, (user + system) / 1000 / (now - at))
    used = process.cpuUsage()
    at = now
    if (next.effort !== pace.effort) setEffort(next.effort)
    pace = next
  }
  setInterval(look, every).unref()
  collectNowAndThen(() => pace.effort === 'little')
}

/** What a collection takes, some 15 ms of a board's processor, must be worth it: no more than one in this time, in ms. */
const between = 10_000

function collectNowAndThen(may: () => boolean): void {
  const heap = () => getHeapStatistics().used_heap_size
  let kept = Number.POSITIVE_INFINITY
  const look = () => {
    if (may() && worthCollecting(heap(), kept)) collect()
    kept = Math.min(kept, heap())
  }
  const collect = () => {
    collector()()
    kept = Number.POSITIVE_INFINITY
  }
  setInterval(look, between).unref()
}

let known: (() => void) | undefined

/** V8's own, which it shows to contexts that are made once it is told to. */
function collector(): () => void {
  if (known === undefined) {
    setFlagsFromString('--expose-gc')
    known = runInNewContext('gc') as () => void
  }
  return known
}
