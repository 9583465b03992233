import { expect, test } from 'vitest'
import { cyclesOf, KillCycles } from '../support/kill-cycles.ts'

const seed = Number(process.env.KEDGE_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))

test('fifty kill -9: every update that was answered is there after each, and in Kubernetes in the end', async () => {
  const world = await KillCycles.start()
  for (const [index, cycle] of cyclesOf(seed, 50).entries()) {
    const what = `cycle ${index} of seed ${seed} (KEDGE_TEST_SEED repeats it): ${JSON.stringify(cycle)}`
    await world.run(cycle).catch((cause) => {
      throw new Error(what, { cause })
    })
    if (index % 25 === 24) await world.agree()
  }
  expect(world.answered).toBeGreaterThan(500)
}, 600_000)
