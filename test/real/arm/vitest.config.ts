import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/real/arm/*.qemu.ts'],
    fileParallelism: false,
    hookTimeout: 400_000,
    testTimeout: 200_000,
  },
})
