/**
 * JSON with the keys of every object sorted and `undefined` left out: equal values give equal text, whoever wrote them
 * down. Both ends of the link hash this text, so it is part of the protocol.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(sorted(value))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  // A null prototype keeps a key named "__proto__" an ordinary key.
  const out: Record<string, unknown> = Object.create(null)
  for (const key of Object.keys(value).sort()) out[key] = sorted((value as Record<string, unknown>)[key])
  return out
}
