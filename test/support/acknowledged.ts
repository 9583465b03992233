/**
 * What one property was told, in numbers that only grow, and what of it was acknowledged. An acknowledged value is never
 * lost; one that was sent and not acknowledged may have been kept or not.
 */
export class Acknowledged {
  #sent = 0
  #kept = 0

  sends(value: number): void {
    this.#sent = Math.max(this.#sent, value)
  }

  kept(value: number): void {
    this.#kept = Math.max(this.#kept, value)
  }

  /** Starts anew: what was told before is no longer expected. */
  forget(): void {
    this.#sent = 0
    this.#kept = 0
  }

  /** Whether this may be the value now. */
  allows(text: string | undefined): boolean {
    if (text === undefined) return this.#kept === 0
    const value = Number(text)
    return value >= this.#kept && value <= this.#sent
  }

  toString(): string {
    return `${this.#kept} to ${this.#sent}`
  }
}
