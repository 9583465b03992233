import { test } from 'vitest'
import { cyclesOf, KillCycles } from '../support/kill-cycles.ts'
import { soakPlan } from './plan.ts'

const { kills, seed } = soakPlan()
/** Kills between two looks whether edge and cloud agree. */
const every = 25

test.skipIf(kills === 0)(`${kills} kill -9 of edgecore, cloudcore among them`, async () => {
  const world = await KillCycles.start()
  for (const [index, cycle] of cyclesOf(seed, kills).entries()) {
    const fail = (cause: unknown) => {
      throw new Error(`kill ${index} of --seed ${seed} --only kills: ${JSON.stringify(cycle)}`, { cause })
    }
    await world.run(cycle).catch(fail)
    if (index % every !== every - 1 && index !== kills - 1) continue
    await world.agree().catch(fail)
    process.stdout.write(`${index + 1} kills, ${world.answered} answered updates, none lost\n`)
  }
})
