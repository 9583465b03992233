import type { DownFrame, UpFrame } from '@kedge/shared/frames'
import type { Service } from '@kedge/shared/service'
import type { Traffic } from './traffic.ts'
import type { TurnedAway } from './turned-away.ts'

/** What the link tells the rest of cloudcore. Each call concerns the node that the connection is authorised for. */
export interface LinkEvents {
  onUp: (node: string) => void
  onDown: (node: string) => void
  onFrame: (node: string, frame: UpFrame) => void
  /** Bytes that are no frame. */
  onMalformed: (node: string, reason: string) => void
}

/** A node's present connection. */
export interface Connection {
  /** Grows with each connection of any node. */
  readonly number: number
  /** Of the certificate that was shown, with the certificate itself, PEM; undefined over plain MQTT. */
  readonly serial: string | undefined
  readonly leaf: string | undefined
}

/** The cloud's end of the link, whatever broker carries it. */
export interface Link extends Service {
  /**
   * Hands a frame to a node's connection. No promise that it arrives: frames that matter are confirmed by frames. A
   * node that is away gets nothing, and says what it holds when it is back.
   */
  send(node: string, frame: DownFrame): void
  /** What went over it since the start. */
  readonly traffic: Readonly<Traffic>
  /** Bytes on their way to nodes. */
  readonly backlog: number
  /** Nodes that wait for their turn to begin a conversation. */
  readonly waiting: number
  /** What was refused at the door. */
  readonly turnedAway: Pick<TurnedAway, 'counts'>
  /** Connections that enrol at the moment. */
  readonly enrolling: number
  /** The connection that a node has; undefined where it has none, or another broker keeps it. */
  connectionOf(node: string): Connection | undefined
  /** A node has got another certificate, which ends then (milliseconds since the epoch): so its connection may stand. */
  prolong(node: string, end: number): void
  /** Port of cloudcore's own broker; undefined where there is another one. */
  readonly port: number | undefined
  /** What keeps the link from working, for people; empty when nothing does. */
  notReady(): string[]
}
