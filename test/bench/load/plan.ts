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
  /** Tell when each update was sent. */
  times?: boolean
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
  /** When each device's updates were sent, in order, in milliseconds since the epoch; where it was asked for. */
  times?: Record<string, number[]>
}

/** The value of a device's update of this number, from 0. */
export function reportedValue(number: number): string {
  return `${number}.5`
}

/** The number of the update that reported this value. */
export function reportNumber(value: string): number {
  return Math.floor(Number(value))
}
