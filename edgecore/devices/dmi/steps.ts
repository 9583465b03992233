/** What a mapper was told of a device or model: `hash` is of what it took last, undefined when that is not sure. */
export interface Told {
  hash: string | undefined
}

export type Step = 'register' | 'update' | 'remove'

/**
 * The next call that brings a mapper to `want`, the hash of a device as it should be, or undefined when the mapper should
 * not have it; undefined when nothing is left to do. A device that the mapper may or may not have is registered, which
 * does nothing where it is known, and then updated.
 */
export function nextStep(want: string | undefined, told: Told | undefined, registered: boolean): Step | undefined {
  if (want === undefined) return told && 'remove'
  if (told === undefined) return 'register'
  if (told.hash === want) return undefined
  return told.hash === undefined && !registered ? 'register' : 'update'
}
