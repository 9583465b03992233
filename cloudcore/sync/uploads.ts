import type { Hash } from '@kedge/shared/changes'
import type { Frame } from '@kedge/shared/frames'
import type { Pack } from '@kedge/shared/packs'
import type { Limits } from './limits.ts'
import type { Pace } from './pace.ts'

interface Piece {
  end: number
  bytes: number
  sentAt: number
}

/**
 * One large object at a time, in pieces, in order.
 *
 * Invariants:
 * - `kept` is what the edge has said that it keeps: a piece counts once it is committed there;
 * - a piece goes where the edge's bytes end; when it says that they end before, the object goes on from there.
 */
export class Uploads {
  readonly #kept = new Map<Hash, number>()
  #pack: Pack | undefined
  /** Bytes of the present object that have been sent. */
  #sent = 0
  #pieces: Piece[] = []
  #wentBackTo = -1
  readonly #pieceBytes: number

  constructor({ pieceBytes }: Pick<Limits, 'pieceBytes'>) {
    this.#pieceBytes = pieceBytes
  }

  /** Bytes on their way. */
  get onWay(): number {
    return this.#pieces.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** A conversation begins: the edge keeps so many bytes of these. */
  begin(partial: Frame<'have'>['partial'] = []): void {
    this.#kept.clear()
    for (const [pack, bytes] of partial) this.#kept.set(pack, bytes)
    this.#take(undefined)
  }

  /** Whether the edge keeps all of it. */
  isKept(pack: Pack): boolean {
    return this.#kept.get(pack.hash) === pack.bytes.length
  }

  /** An edge that has taken an object does not keep its pieces any longer. */
  forget(pack: Hash): void {
    this.#kept.delete(pack)
  }

  /** The next pieces of `pack`, which nothing else may overtake; without one, what was on its way is given up. */
  next(pack: Pack | undefined, { talk, pace, onWay, now }: { talk: string; pace: Pace; onWay: number; now: number }) {
    if (pack?.hash !== this.#pack?.hash) this.#take(pack)
    const frames: Frame<'piece'>[] = []
    while (pack !== undefined && this.#sent < pack.bytes.length) {
      const bytes = Math.min(this.#pieceBytes, pace.budget, pack.bytes.length - this.#sent)
      if (!pace.lets(onWay + this.onWay, bytes)) break
      const at = this.#sent
      this.#sent += bytes
      this.#pieces.push({ end: this.#sent, bytes, sentAt: now })
      const data = pack.bytes.subarray(at, this.#sent).toString('base64')
      frames.push({ is: 'piece', talk, pack: pack.hash, size: pack.bytes.length, at, data })
    }
    return frames
  }

  /** The edge keeps the first `bytes` bytes of `pack`; returns how long the newest of them took, in ms. */
  kept({ pack, bytes }: Frame<'kept'>, now: number): number | undefined {
    const before = this.#kept.get(pack) ?? 0
    if (pack !== this.#pack?.hash || bytes > this.#pack.bytes.length) return undefined
    this.#kept.set(pack, bytes)
    const arrived = this.#pieces.filter(({ end }) => end <= bytes)
    this.#pieces = this.#pieces.slice(arrived.length)
    const newest = arrived.at(-1)
    // It keeps no more than it had: a piece was lost, or its pieces were. The others that followed say the same.
    if (bytes <= before && bytes < this.#sent && this.#wentBackTo !== bytes) this.#goOnFrom(bytes)
    return newest && now - newest.sentAt
  }

  /** What was not confirmed goes again. */
  again(): void {
    if (this.#pack !== undefined) this.#goOnFrom(this.#kept.get(this.#pack.hash) ?? 0)
  }

  #take(pack: Pack | undefined): void {
    this.#pack = pack
    this.#wentBackTo = -1
    this.#sent = (pack && this.#kept.get(pack.hash)) ?? 0
    if (pack !== undefined && this.#sent > pack.bytes.length) this.#sent = 0
    this.#pieces = []
  }

  #goOnFrom(bytes: number): void {
    this.#sent = bytes
    this.#pieces = []
    this.#wentBackTo = bytes
  }
}
