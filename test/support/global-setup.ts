import { build } from '../../scripts/build.ts'
import { foldersInMemory } from './memory-folder.ts'

/**
 * Runs once before all tests: builds the bundles that are older than their sources. A build that fails is told by the
 * tests that start a program (`startProgram` builds as well, and throws); the others do without.
 */
export default async function setup(): Promise<() => void> {
  await build().catch(() => {})
  return foldersInMemory()
}
