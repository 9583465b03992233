import { defineConfig } from 'vitest/config'
import { emulated } from '../../support/shipping/emulated-pool.ts'

export default defineConfig({
  test: {
    globalSetup: ['test/real/arm/setup.ts'],
    fileParallelism: false,
    hookTimeout: 900_000,
    testTimeout: 900_000,
    projects: [
      { extends: true, test: { name: 'board', include: ['test/real/arm/*.qemu.ts'], sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: {
          name: 'units',
          include: ['test/real/arm/*.units.ts', 'test/unit/edgecore/**/*.test.ts'],
          pool: emulated,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
