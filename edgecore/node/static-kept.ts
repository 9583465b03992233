import type { Key } from '@kedge/shared/objects'
import type { Database } from '@kedge/shared/sqlite'
import * as z from 'zod'
import { getMeta } from '../store/meta.ts'
import type { HeldObject } from '../store/objects.ts'

/** Where the static pods of a node are written down. */
export const metaName = 'static-pods'

/** By key. `content` null: the file is gone, the pod not yet. */
export type Kept = Record<Key, { file: string; content: HeldObject['content'] | null }>

const Shape = z.record(z.string(), z.object({ file: z.string(), content: z.unknown() }))

export function readKept(db: Database): Kept {
  const text = getMeta(db, metaName)
  const parsed = text === undefined ? undefined : Shape.safeParse(JSON.parse(text))
  return parsed?.success ? (parsed.data as Kept) : {}
}

/** Those whose file is there, by key. */
export function heldOf(kept: Kept): HeldObject[] {
  return (Object.keys(kept) as Key[]).sort().flatMap((key) => {
    const content = kept[key]?.content
    return content ? [{ key, content, refused: null }] : []
  })
}

/** The pods of the node's own folder, as edgecore found them last. */
export function keptStaticPods(db: Database): HeldObject[] {
  return heldOf(readKept(db))
}
