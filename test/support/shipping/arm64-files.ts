import { join } from 'node:path'
import { cache } from './debian.ts'

/** Where it is kept; with another number when other things are. */
export const arm64Dir = join(cache, 'arm64-2')

/** What an arm64 machine has, for qemu-user, once `arm64()` has fetched it. */
export const arm64Files = {
  /** Debian's libraries; qemu's -L. */
  system: join(arm64Dir, 'system'),
  node: join(arm64Dir, 'node/bin/node'),
  /** node_modules with the native addon, and nothing else. */
  modules: join(arm64Dir, 'modules'),
  /** A command that is this Node.js under emulation. */
  command: join(arm64Dir, 'node-arm64'),
}
