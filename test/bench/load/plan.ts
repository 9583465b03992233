/** What the load generator is to do; it runs as a process of its own. */
export interface LoadPlan {
  /** Port of the edge's MQTT broker. */
  port: number
  /** Names of devices in the namespace default; each gets a connection of its own. */
  devices: string[]
  /** Updates of one device on their way unanswered at once. */
  inFlight: number
  /** Updates per second of one device; as fast as the answers come where it is not given. */
  perSecond?: number
  /** How long to send, in milliseconds. */
  forMs: number
  /** End sooner, once each device has sent so many. */
  atMost?: number
}

export interface LoadResult {
  sent: number
  answered: number
  /** Answers that say that an update was refused. */
  refused: number
  /** Answers that came before that of an earlier update of the same device. */
  outOfOrder: number
  /** Milliseconds from the first update sent to the last answer. */
  ms: number
  /** Milliseconds from an update sent (or, when paced, due) to its answer. */
  p50: number
  p99: number
  /** The value that each device reported last. */
  last: Record<string, string>
}
