/** Bytes on their way that even the slowest link may have. */
const least = 8 * 1024
const most = 256 * 1024
const first = 32 * 1024
/** Milliseconds: what is confirmed sooner may come in larger portions, what takes longer comes in smaller ones. */
const quick = 1000
const slow = 8000

/**
 * How much may be on its way to one edge: little enough that the keep-alive of a slow link gets through between it, and
 * that a cut loses little; more on a fast one. Pure.
 */
export class Pace {
  budget = first

  /** Whether so many bytes more may go while `onWay` are not confirmed yet. One thing always may. */
  lets(onWay: number, bytes: number): boolean {
    return onWay === 0 || onWay + bytes <= this.budget
  }

  /** Something was confirmed so many milliseconds after it was sent. */
  confirmed(ms: number): void {
    if (ms < quick) this.budget = Math.min(most, this.budget * 2)
    else if (ms > slow) this.lost()
  }

  /** Nothing was heard for long. */
  lost(): void {
    this.budget = Math.max(least, this.budget / 2)
  }
}
