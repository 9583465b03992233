import { relative } from 'node:path'

/** A path as a person in `cwd` would write it: relative where it lies below, else absolute. */
export function shownPath(path: string, cwd: string): string {
  const below = relative(cwd, path)
  if (below === '') return '.'
  return below.startsWith('..') ? path : below
}
