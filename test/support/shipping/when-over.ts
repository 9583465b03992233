import { afterAll } from 'vitest'
import type { WhenOver } from '../temp-dir.ts'

/**
 * What takes note, in a `beforeAll` too, of what is to be done after the last test of a file: the last noted first.
 * (`afterAll` itself is not heard there.) To be called when the file is loaded.
 */
export function whenFileIsOver(): WhenOver {
  const noted: Parameters<WhenOver>[0][] = []
  afterAll(async () => {
    for (const over of noted.reverse()) await over()
  })
  return (over) => void noted.push(over)
}
