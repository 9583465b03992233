import { type Backoff, delay } from '@kedge/shared/backoff'
import { hasCode, isExpired, KubeError } from './errors.ts'

/**
 * What a watch loop knows between two requests.
 *
 * Invariant: `version` is set exactly while everything up to it has been given to the sink.
 */
export interface LoopState {
  /** Where the next watch continues; undefined when the collection must be listed. */
  readonly version?: string
  /**
   * Whether the server is to be asked if it knows `version` before it is watched: while nothing was heard of it, its
   * store may have been put back to an earlier state, and a watch from a version to come tells nothing.
   */
  readonly doubted: boolean
  /** Failures in a row. */
  readonly attempt: number
  /** What people were told last: an outage is told once, and so is its end. */
  readonly told: 'well' | 'outage' | 'missing'
}

export const firstState: LoopState = { doubted: false, attempt: 0, told: 'well' }

/** What to do next: wait, then list (no version) or watch. */
export interface Next {
  state: LoopState
  /** Milliseconds. */
  wait: number
  tell?: 'outage' | 'missing' | 'back'
}

const backoff: Backoff = { base: 500, cap: 10_000 }
/** A kind that does not exist yet may come at any moment (a CRD that is applied later). */
const missingBackoff: Backoff = { base: 500, cap: 5_000 }

/** The server answered, up to `version`: listed, or told by an event or a bookmark. */
export function afterProgress(state: LoopState, version: string): Next {
  const next: LoopState = { version, doubted: false, attempt: 0, told: 'well' }
  return { state: next, wait: 0, tell: state.told === 'well' ? undefined : 'back' }
}

/** The server has taken up a watch; until it ends or fails, that is the end of an outage, however quiet it is. */
export function afterOpen(state: LoopState): Next {
  return { state: { ...state, told: 'well' }, wait: 0, tell: state.told === 'well' ? undefined : 'back' }
}

/**
 * A watch ended as watches do. One that brought nothing and ended at once counts as a failure, or a server that closes
 * every watch would be asked without a pause.
 */
export function afterEnd(state: LoopState, watch: { progressed: boolean; lasted: number }, random: number): Next {
  const doubted = !watch.progressed
  if (watch.progressed || watch.lasted >= 1000) return { state: { ...state, doubted, attempt: 0 }, wait: 0 }
  return { state: { ...state, doubted, attempt: state.attempt + 1 }, wait: delay(state.attempt, backoff, random) }
}

/** A list or a watch failed with `error`; `random` is a draw from [0, 1). */
export function afterFailure(state: LoopState, error: unknown, random: number): Next {
  const attempt = state.attempt + 1
  if (isExpired(error)) {
    // Ordinary after a long silence, so at once; a server that expires what it has just listed is asked less and less.
    const wait = state.attempt === 0 ? 0 : delay(state.attempt, backoff, random)
    return { state: { version: undefined, doubted: false, told: state.told, attempt }, wait }
  }
  const missing = hasCode(error, 404)
  const lost = missing || doubtsVersion(error)
  const asked = error instanceof KubeError ? (error.retryAfter ?? 0) : 0
  const told = missing ? 'missing' : 'outage'
  return {
    state: { version: lost ? undefined : state.version, doubted: !lost, attempt, told },
    wait: Math.max(asked, delay(state.attempt, missing ? missingBackoff : backoff, random)),
    tell: state.told === told ? undefined : told,
  }
}

/**
 * A server that answers, but not with a watch, may not know our version at all: one restored from a backup, or a kind
 * that went away and came back. Being busy or not knowing who we are says nothing about the version.
 */
function doubtsVersion(error: unknown): boolean {
  return error instanceof KubeError && ![401, 403, 429, 500, 502, 503].includes(error.code)
}
