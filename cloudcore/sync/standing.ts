import type { Key } from '@kedge/shared/objects'
import type { Session } from './session.ts'
import type { WantedSet } from './wanted.ts'

/**
 * held: the node has confirmed this version. sending: it is on its way, or the node is being compared. waiting: the node
 * is away and does not have it. refused: it cannot be used, see the reason. unknown: the node has not been heard since
 * cloudcore started.
 */
export const objectStates = ['held', 'sending', 'waiting', 'refused', 'unknown'] as const
export type ObjectState = (typeof objectStates)[number]

/** Which version of an object an API says. */
export interface ObjectVersion {
  resourceVersion: string | undefined
  generation: number | undefined
}

/** Where one object of one node stands. */
export interface ObjectStanding {
  key: Key
  state: ObjectState
  /** Why it is refused. */
  reason?: string
  wanted: ObjectVersion
  /** The version that the node has confirmed; undefined when it holds none, or one that cloudcore does not know. */
  held: ObjectVersion | undefined
  /** Since when it stands there, monotonic ms. */
  since: number
}

/** Where an object that a node should have stands; undefined when it should have none of that name. Pure. */
export function standingOf(key: Key, session: Session, wanted: WantedSet): ObjectStanding | undefined {
  const tooLarge = wanted.withheld.get(key)
  if (tooLarge !== undefined) {
    const nothing = { resourceVersion: undefined, generation: undefined }
    return { key, state: 'refused', reason: tooLarge, wanted: nothing, held: undefined, since: session.since(key) }
  }
  const hash = wanted.inventory.get(key)
  const version = wanted.version(key)
  if (hash === undefined || version === undefined) return undefined
  const heldHash = session.confirmed?.holds.get(key)
  const held = heldHash === undefined ? undefined : wanted.versionOf(key, heldHash)
  const reason = session.refused.get(key)
  const about = { key, wanted: version, held, since: session.since(key) }
  if (heldHash === hash)
    return reason === undefined ? { ...about, state: 'held' } : { ...about, state: 'refused', reason }
  return { ...about, state: stateWithout(session) }
}

/** The state of what the node has not confirmed. */
function stateWithout(session: Session): ObjectState {
  if (session.state === 'away') return session.confirmed === undefined ? 'unknown' : 'waiting'
  return session.state === 'silent' ? 'unknown' : 'sending'
}

/** How many objects stand where. A node that is level holds all but what it refuses: nothing is looked at one by one. */
export function countStandings(session: Session, wanted: WantedSet): Record<ObjectState, number> {
  const counts = { held: 0, sending: 0, waiting: 0, refused: wanted.withheld.size, unknown: 0 }
  if (session.state === 'level') {
    counts.refused += session.refused.size
    counts.held = Math.max(0, wanted.inventory.size - session.refused.size)
    return counts
  }
  const holds = session.confirmed?.holds
  const without = stateWithout(session)
  for (const [key, hash] of wanted.inventory) {
    if (holds?.get(key) !== hash) counts[without] += 1
    else counts[session.refused.has(key) ? 'refused' : 'held'] += 1
  }
  return counts
}
