import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['test/real/package/setup.ts'],
    include: ['test/real/package/*.board.ts'],
    fileParallelism: false,
    hookTimeout: 400_000,
    testTimeout: 200_000,
  },
})
