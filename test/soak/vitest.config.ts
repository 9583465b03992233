import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/soak/*.soak.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // One programme after the other: each has the machine to itself.
    fileParallelism: false,
    hookTimeout: 60_000,
    testTimeout: 2 ** 31 - 1,
  },
})
