import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Op, World } from './world.ts'

const name = fc.nat(7)
const large = fc.constantFrom(false, false, true)
const old = fc.constantFrom(false, false, true)
const toEdge = fc.boolean()
const fate = fc.constantFrom('deliver', 'deliver', 'deliver', 'lose', 'repeat', 'delay')

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant('edit' as const), name, value: fc.nat(3), large }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('delete' as const), name }) },
  { weight: 1, arbitrary: fc.constant<Op>({ is: 'cut' }) },
  { weight: 4, arbitrary: fc.constant<Op>({ is: 'link' }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('kill-edge' as const), old }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('restart-cloud' as const), old }) },
  { weight: 8, arbitrary: fc.constant<Op>({ is: 'commit' }) },
  { weight: 2, arbitrary: fc.constant<Op>({ is: 'commit-fails' }) },
  { weight: 16, arbitrary: fc.record({ is: fc.constant('carry' as const), toEdge, fate }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('garble' as const), toEdge }) },
  {
    weight: 2,
    arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.constantFrom(500, 1500, 11_000, 70_000) }),
  },
)

describe('the sync conversation', () => {
  test('ends in agreement, with no untrue claim on the way, after any schedule of edits, cuts, crashes and bad carriage', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { maxLength: 200, size: 'max' }), async (ops) => {
        const world = new World()
        await world.do({ is: 'link' })
        for (const each of ops) await world.do(each)
        await world.heal()
        expect(world.lies).toEqual([])
        expect(world.tooNew).toEqual([])
        expect(world.halves).toEqual([])
        expect(world.inSync).toBe(true)
        expect(world.heldOnDisk).toEqual(world.wanted)
        expect(world.heldInMemory).toEqual(world.wanted)
        expect(world.session.confirmed?.holds).toEqual(world.wanted)
        if (!world.isModern) return
        expect([...world.session.refused.keys()].sort()).toEqual(world.refusedOnDisk)
        expect(world.pieces).toBe(0)
      }),
      { numRuns: Number(process.env.KEDGE_TEST_RUNS ?? 2000) },
    )
  }, 180_000)
})
