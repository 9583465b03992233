import type { Log } from '@kedge/shared/log'

/** What was refused, for metrics. */
export const refusalKinds = [
  /** A TLS handshake that failed or took too long. */
  'handshake',
  /** Connections that do not say who they are. */
  'half-open',
  /** A certificate that is not good, or that does not go with the client id. */
  'certificate',
  /** A client id that may not be. */
  'client-id',
  'session',
  'revoked',
  'locked',
  'publication',
  'subscription',
  /** What an enrolling connection may not do. */
  'enrolment',
] as const
export type RefusalKind = (typeof refusalKinds)[number]

/** Lines of one source that are logged each; of those beyond, ever fewer. */
const toldEach = 16
/** Sources that are remembered. */
const mostSources = 4096
/** Characters of a text that are told: topics and the like may be as long as a packet. */
const longestText = 256

interface Source {
  count: number
  told: Set<string>
}

/**
 * Counts what is refused at the door and tells people of it: each thing once, with its source, and of a source that goes
 * on only how often.
 *
 * Invariant: at most `mostSources` sources are remembered, and `toldEach` lines of each, whose texts are short.
 */
export class TurnedAway {
  readonly counts = new Map<RefusalKind, number>()
  readonly #log: Log
  readonly #sources = new Map<string, Source>()

  constructor(log: Log) {
    this.#log = log
  }

  /** `source`: an address, or the node where it is known. `what` is the event's name; `fields` say more. */
  tell(kind: RefusalKind, source: string, what: string, fields: Readonly<Record<string, unknown>>): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    const held = this.#sources.get(source) ?? { count: 0, told: new Set<string>() }
    this.#sources.delete(source)
    this.#sources.set(source, held)
    const [oldest] = this.#sources.keys()
    if (this.#sources.size > mostSources && oldest !== undefined) this.#sources.delete(oldest)
    held.count++
    const cut = shortened(fields)
    const line = `${what} ${JSON.stringify(cut)}`
    const isNew = held.told.size < toldEach && !held.told.has(line)
    if (isNew) held.told.add(line)
    const isRound = (held.count & (held.count - 1)) === 0
    if (!isNew && !isRound) return
    this.#log.warn({ ...cut, ...(held.count > 1 ? { count: held.count } : {}) }, what)
  }
}

function shortened(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > longestText ? `${value.slice(0, longestText)}…` : value,
    ]),
  )
}
