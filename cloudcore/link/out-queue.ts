import { type DownFrame, encodeFrame } from '@kedge/shared/frames'

interface Entry {
  bytes: Buffer
  talk: string | undefined
  /** The revision that a change leads to. */
  to: number | undefined
}

/** What waits to be sent to one node, in order and within bounds. */
export class OutQueue {
  readonly #maxBytes: number
  readonly #entries: Entry[] = []
  /** Bytes that wait. */
  bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** False when there is no room. A change that still waits here is not put there a second time. */
  push(frame: DownFrame): boolean {
    const talk = 'talk' in frame ? frame.talk : undefined
    const to = frame.is === 'changes' ? frame.to : undefined
    if (to !== undefined && this.#entries.some((entry) => entry.talk === talk && entry.to === to)) return true
    const bytes = encodeFrame(frame)
    if (this.bytes + bytes.length > this.#maxBytes) return false
    this.bytes += bytes.length
    this.#entries.push({ bytes, talk, to })
    return true
  }

  shift(): Buffer | undefined {
    const entry = this.#entries.shift()
    this.bytes -= entry?.bytes.length ?? 0
    return entry?.bytes
  }

  /** The node has begun this talk: what waits of another would be ignored. */
  begin(talk: string): void {
    const current = this.#entries.filter((entry) => entry.talk === undefined || entry.talk === talk)
    this.#entries.splice(0, this.#entries.length, ...current)
    this.bytes = current.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
}
