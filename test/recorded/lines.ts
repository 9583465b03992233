import { readFileSync } from 'node:fs'
import type { KubeObject } from '@kedge/shared/objects'

/**
 * One line of a recorded conversation: something that happened to one of the ends, or a frame, in base64, that it sent
 * because of that.
 */
export type Line =
  /** The cloud starts, or starts again, with this epoch. */
  | { cloud: string }
  /** The edge starts, or starts again, naming its talks after this run. */
  | { edge: string }
  /** An object that the node should have, in this version. */
  | { set: string; object: KubeObject }
  | { drop: string }
  | { link: 'up' | 'down' }
  /** Bytes that are no frame reach the cloud. */
  | { garbled: 'toCloud' }
  /** A second passes: both ends look at their watches; monotonic ms. */
  | { tick: number }
  | { toCloud: string }
  | { toEdge: string }

export function readLines(path: URL): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}
