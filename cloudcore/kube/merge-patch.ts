import { canonical } from '@kedge/shared/canonical'

export type Json = Record<string, unknown>

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The merge patch (RFC 7386) that turns `from` into `to`, or undefined when they are equal. Fields that `to` lacks are
 * taken out; arrays are replaced whole. `to` holds no null: a merge patch cannot write one.
 */
export function mergePatch(from: Json, to: Json): Json | undefined {
  const patch: [string, unknown][] = []
  for (const field of Object.keys(from)) {
    if (own(to, field) === undefined && from[field] !== undefined) patch.push([field, null])
  }
  for (const [field, wanted] of Object.entries(to)) {
    if (wanted === undefined) continue
    const held = own(from, field)
    const change = isJson(held) && isJson(wanted) ? mergePatch(held, wanted) : same(held, wanted) ? undefined : wanted
    if (change !== undefined) patch.push([field, change])
  }
  return patch.length > 0 ? Object.fromEntries(patch) : undefined
}

/** Nothing that every object inherits is a field: an edge may report one that is called `__proto__`. */
function own(json: Json, field: string): unknown {
  return Object.hasOwn(json, field) ? json[field] : undefined
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (a !== undefined && canonical(a) === canonical(b))
}

/** A copy without nulls, at any depth: in what an edge reports a null says as much as a missing field. */
export function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls) as T
  if (!isJson(value)) return value
  const kept = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined)
  return Object.fromEntries(kept.map(([field, inner]) => [field, withoutNulls(inner)])) as T
}
