import { UserError } from '@kedge/shared/errors'

/** A release has all its parts. A dry run goes on without those that cannot be made here, and tells which. */
export class Parts {
  readonly leftOut: string[] = []
  readonly #dryRun: boolean

  constructor(dryRun: boolean) {
    this.#dryRun = dryRun
  }

  /** Makes a part: whether it is there. In a dry run, one that ends with a UserError is noted as left out. */
  async make(what: string, how: () => unknown): Promise<boolean> {
    try {
      await how()
      return true
    } catch (error) {
      if (!this.#dryRun || !(error instanceof UserError)) throw error
      this.leftOut.push(`${what}: ${error.message}`)
      return false
    }
  }
}
