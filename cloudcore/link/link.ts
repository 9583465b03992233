import type { DownFrame, UpFrame } from '@kedge/shared/frames'
import type { Service } from '@kedge/shared/service'
import type { Traffic } from './traffic.ts'

/** What the link tells the rest of cloudcore. Each call concerns the node that the connection is authorised for. */
export interface LinkEvents {
  onUp: (node: string) => void
  onDown: (node: string) => void
  onFrame: (node: string, frame: UpFrame) => void
  /** Bytes that are no frame. */
  onMalformed: (node: string, reason: string) => void
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
  /** Port of cloudcore's own broker; undefined where there is another one. */
  readonly port: number | undefined
  /** What keeps the link from working, for people; empty when nothing does. */
  notReady(): string[]
}
