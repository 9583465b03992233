import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/real/compose/*.docker.ts'],
    fileParallelism: false,
    // The first time Debian is fetched.
    hookTimeout: 1_200_000,
    testTimeout: 400_000,
  },
})
