import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/real/compose/*.docker.ts'],
    fileParallelism: false,
    hookTimeout: 400_000,
    testTimeout: 400_000,
  },
})
