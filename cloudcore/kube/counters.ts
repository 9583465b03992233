/** What cloudcore counts about its talk with Kubernetes; `main` shows them as metrics. */
export const counterHelp = {
  lists: 'Whole collections listed',
  expired: 'Watches whose version the server had forgotten',
  writes: 'Status writes accepted by Kubernetes',
  same: 'Reports that Kubernetes already agreed with, so that nothing was written',
  conflicts: 'Writes repeated because someone else had written',
  retries: 'Writes repeated after trouble',
  refused: 'Reports refused for good',
  unheard: 'Reports of nodes that also spoke of what is not their own, which was left out',
  obsolete: 'Reports about objects that are gone',
  gaps: 'Events of reports that an edge had to drop',
  leases: 'Leases renewed',
} as const

export type CounterName = keyof typeof counterHelp

/** Plain counts by name. */
export class Counters {
  readonly #counts = new Map<CounterName, number>()

  add(name: CounterName): void {
    this.#counts.set(name, this.get(name) + 1)
  }

  get(name: CounterName): number {
    return this.#counts.get(name) ?? 0
  }
}
