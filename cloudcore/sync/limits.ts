/** Where the ways of sending part, in bytes unless it says otherwise. */
export interface Limits {
  /** An object that is larger once it is packed travels in pieces. */
  largePack: number
  /** A piece carries at most this. */
  pieceBytes: number
  /** Members of a set that is told as a whole, rather than compared bucket by bucket. */
  wholeInventory: number
}

export const defaultLimits: Limits = { largePack: 32 * 1024, pieceBytes: 32 * 1024, wholeInventory: 64 }
