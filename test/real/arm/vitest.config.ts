import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/real/arm/*.qemu.ts'],
    fileParallelism: false,
    hookTimeout: 400_000,
    testTimeout: 200_000,
    // What one test leaves, the next one goes on with: after a failure there is nothing to go on with.
    bail: 1,
  },
})
