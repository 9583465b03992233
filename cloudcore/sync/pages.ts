import { type Clock, rfc3339 } from '@kedge/shared/clock'
import type { SyncHub } from './hub.ts'
import type { ObjectState, ObjectVersion } from './standing.ts'

/** One node on the page `/nodes`. */
export interface NodePage {
  node: string
  /** Of its sync; `level` is in sync. */
  state: string
  /** The revision that it has confirmed. */
  revision: number | null
  objects: Record<ObjectState, number>
}

/** One object on the page `/nodes/<node>/objects`. */
export interface ObjectPage {
  key: string
  state: ObjectState
  reason: string | null
  wanted: ObjectVersion
  held: ObjectVersion | null
  /** Since when it stands there, RFC 3339. */
  since: string
}

/** What the status server shows of the sync: names and versions, no contents. */
export function syncPages(hub: Pick<SyncHub, 'standings' | 'counts' | 'objects'>, clock: Clock) {
  return (path: string): NodePage[] | ObjectPage[] | undefined => {
    if (path === '/nodes') return nodesPage(hub)
    const node = /^\/nodes\/([^/]+)\/objects$/.exec(path)?.[1]
    return node === undefined ? undefined : objectsPage(hub, node, clock)
  }
}

function nodesPage(hub: Pick<SyncHub, 'standings' | 'counts'>): NodePage[] {
  const counts = new Map([...hub.counts()].map((each) => [each.node, each.counts]))
  const none = { held: 0, sending: 0, waiting: 0, refused: 0, unknown: 0 }
  return [...hub.standings()]
    .map(({ node, state, revision }) => ({
      node,
      state,
      revision: revision ?? null,
      objects: counts.get(node) ?? none,
    }))
    .sort((a, b) => (a.node < b.node ? -1 : 1))
}

function objectsPage(hub: Pick<SyncHub, 'objects'>, node: string, clock: Clock): ObjectPage[] | undefined {
  const toWall = clock.now() - clock.monotonic()
  return hub.objects(node)?.map(({ key, state, reason, wanted, held, since }) => ({
    key,
    state,
    reason: reason ?? null,
    wanted,
    held: held ?? null,
    since: rfc3339(since + toWall),
  }))
}
