import { ForksPoolWorker, type PoolRunnerInitializer } from 'vitest/node'
import { arm64Files } from './arm64-files.ts'

/** The processes of tests, under emulation. What the tests import is still compiled outside, by this machine's Node.js. */
class EmulatedWorker extends ForksPoolWorker {
  override async start(): Promise<void> {
    const own = process.execPath
    process.execPath = arm64Files.command
    // The process is started before the first await.
    const started = super.start()
    process.execPath = own
    await started
  }
}

/** Vitest's `pool` for tests that run as on an arm64 board. */
export const emulated: PoolRunnerInitializer = {
  name: 'emulated',
  createPoolWorker: (options) => new EmulatedWorker(options),
}
