import { matches } from '@kedge/shared/device-topics'

/** As much of a client as matters here; each connection is an object of its own. */
export interface Listener {
  /** False for a persistent session, which goes on while the client is away. */
  clean: boolean
}

/** With more wildcard filters than this, looking costs more than sending what nobody hears. */
const maxWildcards = 50

/**
 * Which topics somebody may be listening on, so that what nobody hears need not go through the broker: most of what
 * follows an update is for listeners that most nodes do not have.
 *
 * Invariant: `hears` never says no for a topic that a client has subscribed to. It may say yes for longer than needed:
 * until the connection ends, also where the client has unsubscribed (another SUBSCRIBE may overtake that inside the
 * broker), and for a persistent session until edgecore ends.
 */
export class Audience {
  readonly #filtersOf = new Map<Listener, Set<string>>()
  readonly #persistent = new Set<string>()
  /** How many of the above have a filter. */
  readonly #counts = new Map<string, number>()
  readonly #wildcards = new Set<string>()

  /** Call it before a subscription takes effect. */
  joins(client: Listener, filter: string): void {
    const filters = client.clean ? (this.#filtersOf.get(client) ?? new Set()) : this.#persistent
    if (client.clean) this.#filtersOf.set(client, filters)
    if (filters.has(filter)) return
    filters.add(filter)
    this.#counts.set(filter, (this.#counts.get(filter) ?? 0) + 1)
    if (/[+#]/.test(filter)) this.#wildcards.add(filter)
  }

  /** Call it when a connection has ended. */
  gone(client: Listener): void {
    for (const filter of this.#filtersOf.get(client) ?? []) this.#forget(filter)
    this.#filtersOf.delete(client)
  }

  hears(topic: string): boolean {
    if (this.#counts.has(topic) || this.#wildcards.size > maxWildcards) return true
    for (const filter of this.#wildcards) if (matches(filter, topic)) return true
    return false
  }

  #forget(filter: string): void {
    const left = (this.#counts.get(filter) ?? 1) - 1
    if (left > 0) return void this.#counts.set(filter, left)
    this.#counts.delete(filter)
    this.#wildcards.delete(filter)
  }
}
