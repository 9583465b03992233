import { randomUUID } from 'node:crypto'
import { eventIds } from '@kedge/shared/event-id'

/** A new id for an event of this node that happened at `at` (ms since the epoch). */
export const newEventId = eventIds(randomUUID)
