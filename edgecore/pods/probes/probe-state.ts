import type { Probe } from '../container-schema.ts'

/** What one probe found out. An attempt that could not be made (`error`) says nothing about the container. */
export type Outcome = { is: 'success' } | { is: 'failure'; message: string } | { is: 'error'; message: string }

/** What is believed of a container, by one of its probes. */
export interface ProbeState {
  verdict: 'unknown' | 'success' | 'failure'
  last?: 'success' | 'failure'
  /** How many times in a row the last outcome came. */
  inRow: number
}

export type ProbeKind = 'startup' | 'liveness' | 'readiness'

/** Before the first outcome a container counts as alive, not as ready, and as not known to have started. */
export const initially: Record<ProbeKind, ProbeState> = {
  startup: { verdict: 'unknown', inRow: 0 },
  liveness: { verdict: 'success', inRow: 0 },
  readiness: { verdict: 'failure', inRow: 0 },
}

/** What is believed after one more outcome: the verdict changes once enough of them came in a row. Pure. */
export function afterOutcome(
  state: ProbeState,
  outcome: Outcome,
  { successThreshold, failureThreshold }: Pick<Probe, 'successThreshold' | 'failureThreshold'>,
): ProbeState {
  if (outcome.is === 'error') return state
  const inRow = state.last === outcome.is ? state.inRow + 1 : 1
  const enough = inRow >= (outcome.is === 'success' ? successThreshold : failureThreshold)
  return { verdict: enough ? outcome.is : state.verdict, last: outcome.is, inRow }
}
