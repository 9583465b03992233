import type { DownFrame, UpFrame } from '@kedge/shared/frames'

/** What the link tells the rest of cloudcore. Each call concerns the node that the connection is authorised for. */
export interface LinkEvents {
  onUp: (node: string) => void
  onDown: (node: string) => void
  onFrame: (node: string, frame: UpFrame) => void
  /** Bytes that are no frame. */
  onMalformed: (node: string, reason: string) => void
}

/** The cloud's end of the link, whatever broker carries it. */
export interface Link {
  /**
   * Hands a frame to a node's connection. No promise that it arrives: frames that matter are confirmed by frames. A
   * node that is away gets nothing, and says what it holds when it is back.
   */
  send(node: string, frame: DownFrame): void
}
