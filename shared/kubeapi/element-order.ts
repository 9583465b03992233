import { canonical } from '../canonical.ts'
import { isObject } from './schema.ts'

/** What tells an element of a list from the others, as text. */
export function idOf(element: unknown, key: string | undefined): string {
  return canonical(key !== undefined && isObject(element) ? (element[key] ?? null) : (element ?? null))
}

/** The elements of `list` that are in `others`, and those that are not, each in the order of `list`. */
export function partition(
  list: readonly unknown[],
  others: readonly unknown[],
  key: string | undefined,
): { inside: unknown[]; outside: unknown[] } {
  const ids = new Set(others.map((one) => idOf(one, key)))
  const inside: unknown[] = []
  const outside: unknown[] = []
  for (const element of list) (ids.has(idOf(element, key)) ? inside : outside).push(element)
  return { inside, outside }
}

export interface Order {
  /** Elements to put in order. */
  merged: readonly unknown[]
  /** The order of those that the patch names. */
  wanted: readonly unknown[]
  /** The order on the server before the patch. */
  before: readonly unknown[]
  /** Field that tells elements apart; undefined for plain values. */
  key: string | undefined
}

/**
 * Puts a merged list in Kubernetes' order: what the patch names in the order of the patch, what it does not name in the
 * order that it had, one woven into the other so that elements known before keep their place; new ones come as early as
 * that allows.
 */
export function inOrder({ merged, wanted, before, key }: Order): unknown[] {
  const { inside, outside } = partition(merged, wanted, key)
  const wantedAt = positions(wanted, key)
  const beforeAt = positions(before, key)
  const named = byPosition(inside, wantedAt, key)
  const others = byPosition(outside, beforeAt, key)
  const out: unknown[] = []
  for (const other of others) {
    const at = beforeAt.get(idOf(other, key)) ?? -1
    while (named.length > 0) {
      const namedAt = beforeAt.get(idOf(named[0], key)) ?? -1
      if (namedAt >= 0 && at >= 0 && at < namedAt) break
      out.push(named.shift())
    }
    out.push(other)
  }
  return [...out, ...named]
}

function positions(list: readonly unknown[], key: string | undefined): Map<string, number> {
  const at = new Map<string, number>()
  for (const [index, element] of list.entries()) if (!at.has(idOf(element, key))) at.set(idOf(element, key), index)
  return at
}

function byPosition(list: unknown[], at: ReadonlyMap<string, number>, key: string | undefined): unknown[] {
  return list.sort((a, b) => (at.get(idOf(a, key)) ?? 0) - (at.get(idOf(b, key)) ?? 0))
}
