import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/**
 * Files of many small tests share the processes that they run in: to start one and load the product into it costs more
 * than their tests. What starts and kills whole systems has a process to itself.
 */
export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Vitest's own choice leaves one processor idle, which is half of a small machine; and tests of systems wait a lot.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    projects: [
      {
        extends: true,
        test: { name: 'parts', include: ['test/{unit,property,contract}/**/*.test.ts'], isolate: false },
      },
      { extends: true, test: { name: 'systems', include: ['test/{flow,real}/**/*.test.ts'] } },
    ],
  },
})
