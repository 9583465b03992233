/**
 * The candidate that `text` was probably meant to be, or undefined when none is near: at most a third of the letters,
 * and never more than three, may be missing, extra or different.
 */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.min(3, Math.ceil(text.length / 3)) + 1
  for (const candidate of candidates) {
    const far = distance(text, candidate)
    if (far < least) [best, least] = [candidate, far]
  }
  return best
}

/** The number of letters to insert, remove or change to turn `a` into `b` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
