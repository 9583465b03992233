/** What becomes of a report. */
export type Answer = { is: 'accepted' } | { is: 'refused'; reason: string }

export const accepted: Answer = { is: 'accepted' }

export function refused(reason: string): Answer {
  return { is: 'refused', reason }
}
