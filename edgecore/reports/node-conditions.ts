/** One condition of this node, as `kubectl describe node` shows it; its times are added where it is reported. */
export interface NodeCondition {
  /** One word in Kubernetes' style: `StorageHealthy`. */
  type: string
  status: 'True' | 'False' | 'Unknown'
  /** One word for machines. */
  reason: string
  /** A sentence for people; best without figures that change all the time, since each change is a report. */
  message: string
}

/**
 * Says how one thing is now. Undefined while there is nothing to say of it; a condition that was told once stays in
 * Kubernetes, so whoever has spoken goes on speaking, with the status that means well.
 */
export type ConditionSource = () => NodeCondition | undefined

/** What the parts of edgecore have to say of the node: each part adds a source, the node's report collects them. */
export class NodeConditions {
  readonly #sources: ConditionSource[] = []
  readonly #listeners: (() => void)[] = []

  /** `source` is asked with every look at the node: at least once a minute, and after `changed`. */
  add(source: ConditionSource): void {
    this.#sources.push(source)
  }

  /** A source now says something else: the node is looked at soon, not only when the minute is over. */
  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  now(): NodeCondition[] {
    return this.#sources.flatMap((source) => source() ?? [])
  }
}
