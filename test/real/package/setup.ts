import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { root } from '../../../scripts/build.ts'
import { debianArch, makeArchive } from '../../../scripts/package/archive.ts'
import { debianRoot } from '../../support/shipping/debian.ts'
import { machinePackages } from '../../support/shipping/debian-machine.ts'
import { tempDir } from '../../support/temp-dir.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The archive for this machine, as `npm run package` makes it. */
    archive: string
  }
}

/** Makes once, before all tests, the archive and the Debian that it is installed on. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const over: (() => void | Promise<void>)[] = []
  const options = { node: process.execPath, modules: join(root, 'node_modules'), to: tempDir((end) => over.push(end)) }
  project.provide('archive', await makeArchive({ arch: debianArch(process.arch), ...options }))
  await debianRoot(machinePackages)
  return async () => {
    for (const end of over) await end()
  }
}
