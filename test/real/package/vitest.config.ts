import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['test/real/package/setup.ts'],
    include: ['test/real/package/*.board.ts'],
    fileParallelism: false,
    hookTimeout: 900_000,
    testTimeout: 900_000,
  },
})
