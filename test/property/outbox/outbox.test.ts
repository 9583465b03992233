import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Step, World } from './world.ts'

const numRuns = Number(process.env.KEDGE_TEST_RUNS ?? 80)

const small = fc.nat({ max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant('say' as const),
      device: small,
      property: small,
      value: fc.nat({ max: 99 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      is: fc.constant('event' as const),
      warning: fc.boolean(),
      bad: fc.nat({ max: 9 }).map((n) => n === 0),
      size: fc.nat({ max: 800 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ is: fc.constant('carry' as const), frames: fc.nat({ max: 4 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ is: fc.constant('write' as const), refuse: fc.nat({ max: 4 }).map((n) => n === 0) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ is: fc.constant('answer' as const), which: fc.nat({ max: 5 }), keep: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.constantFrom(60, 60, 300, 300, 300, 70_000) }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('jump' as const), ms: fc.constantFrom(-1e12, -1000, 1e10) }) },
  ...(['lose', 'lose', 'lose', 'repeat', 'cut', 'link', 'link', 'crash edge', 'crash cloud', 'tidy'] as const).map(
    (is) => ({
      weight: 1,
      arbitrary: fc.constant<Step>({ is }),
    }),
  ),
)

const carried: Step[] = [
  { is: 'wait', ms: 300 },
  { is: 'carry', frames: 9 },
]
const unheard: Step[] = [{ is: 'wait', ms: 300 }, { is: 'lose' }]
const answered = [0, 1, 2].map((which): Step => ({ is: 'answer', which, keep: true }))
const began: Step[] = [{ is: 'cut' }, { is: 'link' }]

/**
 * What rarely comes by chance: the first half of a report is lost or refused and the second accepted; it goes again as a
 * whole, which is lost, too; and the answer to the second half comes late, or once more.
 */
const halves: fc.Arbitrary<Step[]> = fc
  .record({
    device: fc.nat({ max: 1 }),
    values: fc.tuple(fc.nat({ max: 99 }), fc.nat({ max: 99 })),
    first: fc.constantFrom(unheard, [...carried, { is: 'write' as const, refuse: true }]),
    before: fc.constantFrom([], answered),
    again: fc.constantFrom<Step[][]>(began, [{ is: 'wait', ms: 70_000 }], []),
    lost: fc.constantFrom<Step[][]>([{ is: 'lose' }], began, []),
  })
  .map(({ device, values, first, before, again, lost }) => [
    ...[{ is: 'say' as const, device, property: 0, value: values[0] }, ...first],
    ...[
      { is: 'say' as const, device, property: 1, value: values[1] },
      ...carried,
      { is: 'write' as const, refuse: false },
    ],
    ...[...before, ...again, { is: 'wait' as const, ms: 300 }, ...answered, ...lost],
  ])

const schedule = fc
  .array(fc.oneof({ weight: 12, arbitrary: step.map((one) => [one]) }, { weight: 1, arbitrary: halves }), {
    ...{ minLength: 5, maxLength: 80, size: 'max' },
  })
  .map((parts) => parts.flat())

test('every report arrives, or is refused, or a gap record counts it', async () => {
  let dropped = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(schedule, async (steps) => {
      const world = new World()
      try {
        await world.take({ is: 'link' })
        for (const each of steps) await world.take(each)
        await world.heal()
        const { said, kube, left } = world
        const aside = new Set(left.aside)
        for (const [state, value] of said.states) {
          if (!aside.has(`devices/default/${state.split('/')[0]}`))
            expect([state, kube.states.get(state)]).toEqual([state, value])
        }
        const missing = [...said.events].filter(([id, bad]) => !bad && !kube.events.has(id)).length
        const counted = [...kube.gaps.values()].reduce((sum, count) => sum + count, 0)
        expect(missing).toBeLessThanOrEqual(counted)
        const unaccounted = [...said.events].filter(([id, bad]) => bad && !aside.has(`events/${id}`)).length
        expect(missing + unaccounted).toBeLessThanOrEqual(counted)
        dropped += counted
        refused += aside.size
      } finally {
        world.close()
      }
    }),
    { numRuns },
  )
  // The schedules have to reach what is asserted.
  expect([dropped > 0, refused > 0]).toEqual([true, true])
})

test('the answer to the later part of a report says nothing of an earlier one that was lost', async () => {
  const world = new World()
  const steps: Step[] = [
    { is: 'link' },
    { is: 'say', device: 0, property: 0, value: 1 },
    { is: 'wait', ms: 300 },
    { is: 'lose' },
    { is: 'say', device: 0, property: 1, value: 2 },
    { is: 'wait', ms: 300 },
    { is: 'carry', frames: 9 },
    { is: 'write', refuse: false },
    { is: 'answer', which: 0, keep: false },
  ]
  for (const each of steps) await world.take(each)
  expect([...world.kube.states]).toEqual([['d0/p1', '2']])
  await world.heal()
  expect(world.kube.states).toEqual(world.said.states)
  world.close()
})
