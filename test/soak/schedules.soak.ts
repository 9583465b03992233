import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expectAgreement } from '../support/agreement.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { FleetWorld } from '../support/fleet-world.ts'
import { type Step, schedules } from '../support/schedule.ts'
import { soakPlan } from './plan.ts'

const { minutes, seed } = soakPlan()
/** Schedules that one fleet lives through. */
const perFleet = 5

test.skipIf(minutes === 0)(`${minutes} minutes of cuts, slow links, kills, edits and reports`, async () => {
  const deadline = performance.now() + minutes * 60_000
  for (let round = 0; performance.now() < deadline; round++) {
    const own = seed + round
    const lives = fc.sample(schedules, { seed: own, numRuns: perFleet })
    const done = await liveThrough(lives, deadline).catch((cause) => {
      throw new Error(`repeat it with --seed ${own} --only schedules`, { cause })
    })
    process.stdout.write(`seed ${own}: ${done} schedules, both sides agree\n`)
  }
})

/** A fleet from its first day; resolves with the number of schedules that it had until the time was up. */
async function liveThrough(lives: readonly Step[][], deadline: number): Promise<number> {
  const fleet = await Fleet.start({
    ...{ nodes: ['edge-1', 'edge-2'], cloud: 'process', edges: 'process', statusInterval: 1000 },
  })
  let done = 0
  try {
    const world = new FleetWorld(fleet)
    await world.prepare()
    for (const steps of lives) {
      if (done > 0 && performance.now() > deadline) break
      for (const [at, step] of steps.entries()) {
        await world.do(step).catch((cause) => {
          throw new Error(`schedule ${done}, step ${at}: ${JSON.stringify(step)}`, { cause })
        })
      }
      await world.heal()
      await eventually(() => expectAgreement(world).then(() => true), { within: 120_000, every: 200 })
      await fleet.level()
      done++
    }
    expect([...fleet.cloudLog, ...fleet.nodes.flatMap(({ log }) => log)].filter(isFatal)).toEqual([])
  } finally {
    await fleet.stop()
  }
  return done
}

const isFatal = ({ level }: { level: string }) => level === 'fatal'
