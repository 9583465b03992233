import { join } from 'node:path'
import * as z from 'zod'
import { diskFiles, type Files } from './files.ts'

/** Why cloudcore gave this node no certificate when it asked last: for the person at the board. */
const LastRefusal = z.object({
  code: z.string(),
  reason: z.string(),
  /** Milliseconds since the epoch, by this node's clock. */
  at: z.number(),
})
export type LastRefusal = z.infer<typeof LastRefusal>

const pathIn = (dir: string) => join(dir, 'identity-refused.json')

/** Writes it down, or, with undefined, that there is none any more. Nothing depends on it: a power cut may take it. */
export function keepRefusal(dir: string, refusal: LastRefusal | undefined, files: Files = diskFiles): void {
  if (refusal === undefined) return files.remove(pathIn(dir))
  files.write(pathIn(dir), `${JSON.stringify(refusal)}\n`)
}

/** Undefined when there is none, or none that can be read. */
export function readRefusal(dir: string, files: Files = diskFiles): LastRefusal | undefined {
  try {
    return LastRefusal.parse(JSON.parse(files.read(pathIn(dir)) ?? ''))
  } catch {
    return undefined
  }
}
