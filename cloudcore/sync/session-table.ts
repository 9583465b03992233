import type { Frame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'

/**
 * away: no link. silent: linked, the edge has not said what it holds. comparing: it was asked what that is. level: it
 * holds what it should. changing: changes are on their way.
 */
export type SessionState = 'away' | 'silent' | 'comparing' | 'level' | 'changing'

export type SessionEvent =
  | { is: 'up' }
  | { is: 'down' }
  | Frame<'have'>
  | Frame<'buckets'>
  | Frame<'inventory'>
  | Frame<'applied'>
  | Frame<'kept'>
  /** These keys of the wanted set moved. */
  | { is: 'moved'; keys: Iterable<Key> }
  /** The edge sent something that is no frame. */
  | { is: 'malformed' }
  | { is: 'tick' }

/** What the session does; `docs/PROTOCOL.md` says it in words. */
export type SessionStep =
  | '–'
  | 'greet'
  | 'leave'
  | 'answer'
  | 'answer new'
  | 'note'
  | 'send'
  | 'compare'
  | 'narrow'
  | 'know'
  | 'land'
  | 'keep'
  | 'ask again'
  | 'confirm'

/**
 * The table of `docs/PROTOCOL.md`, cell by cell. `up` on a linked session: the node came back before its old connection
 * was known to be gone.
 */
// biome-ignore format: one row per state
export const sessionTable: Record<SessionState, Record<SessionEvent['is'], SessionStep>> = {
  away: {
    up: 'greet', down: '–', have: 'answer', buckets: '–', inventory: '–',
    applied: '–', kept: '–', moved: 'note', malformed: '–', tick: '–',
  },
  silent: {
    up: 'greet', down: 'leave', have: 'answer', buckets: '–', inventory: '–',
    applied: '–', kept: '–', moved: 'note', malformed: '–', tick: '–',
  },
  comparing: {
    up: 'greet', down: 'leave', have: 'answer new', buckets: 'narrow', inventory: 'know',
    applied: '–', kept: '–', moved: 'note', malformed: 'compare', tick: 'ask again',
  },
  level: {
    up: 'greet', down: 'leave', have: 'answer new', buckets: '–', inventory: '–',
    applied: 'land', kept: '–', moved: 'send', malformed: 'compare', tick: 'confirm',
  },
  changing: {
    up: 'greet', down: 'leave', have: 'answer new', buckets: '–', inventory: '–',
    applied: 'land', kept: 'keep', moved: 'send', malformed: 'compare', tick: 'confirm',
  },
}
