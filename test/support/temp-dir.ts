import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** What calls `over` when the test ends, or, in a `beforeAll` with `afterAll`, all tests of its group. */
export type WhenOver = (over: () => void | Promise<void>) => void

/** A new folder that goes when the test ends, whatever its result. */
export function tempDir(whenOver: WhenOver = onTestFinished): string {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-'))
  whenOver(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  return dir
}
