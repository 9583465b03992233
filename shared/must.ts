/** Returns `value`, or throws when it is missing: for what an invariant guarantees and the type system cannot see. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`${what} is missing`)
  return value
}
