import { applyCloud, applyLocal, type Model, type PropertyUpdate, type Twin, validateValue } from '@kedge/shared/twin'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const model: Model = new Map([
  ['free', { type: 'STRING' }],
  ['level', { type: 'INT', minimum: '0', maximum: '3' }],
  ['sensor', { type: 'INT', accessMode: 'ReadOnly' }],
])
const property = fc.constantFrom('free', 'level', 'sensor', 'other')
const value = fc.constantFrom('', '0', '1', '2', '3', '4', 'x')

type Write = { by: 'cloud'; desired: Map<string, string> } | { by: 'local'; update: Map<string, PropertyUpdate | null> }

const fromCloud: fc.Arbitrary<Write> = fc
  .array(fc.tuple(property, value), { maxLength: 4 })
  .map((desired) => ({ by: 'cloud' as const, desired: new Map(desired) }))
const change = fc.record({ desired: value, reported: value }, { requiredKeys: [] })
const fromHere: fc.Arbitrary<Write> = fc
  .array(fc.tuple(property, fc.option(change, { freq: 5 })), { minLength: 1, maxLength: 3 })
  .map((update) => ({ by: 'local' as const, update: new Map(update) }))
const history = fc.array(fc.oneof(fromCloud, fromHere), { maxLength: 25 })

function changesOf(twins: Map<string, Twin>, write: Write, now: number) {
  if (write.by === 'cloud') return applyCloud({ twins, desired: write.desired, model, now }).changes
  const applied = applyLocal({ twins, update: write.update, model, now })
  return 'changes' in applied ? applied.changes : []
}

function run(
  writes: readonly Write[],
  check: (before: Map<string, Twin>, after: Map<string, Twin>) => void = () => {},
) {
  let twins = new Map<string, Twin>()
  writes.forEach((write, now) => {
    const next = new Map(twins)
    for (const { property, after } of changesOf(twins, write, now)) next.set(property, after)
    check(twins, next)
    twins = next
  })
  return twins
}

test('doing anything again at once changes nothing', () => {
  fc.assert(
    fc.property(history, fc.oneof(fromCloud, fromHere), (writes, write) => {
      const twins = run([...writes, write])
      expect(changesOf(twins, write, 99)).toEqual([])
    }),
  )
})

test('versions never go back, and go on with every change of a value', () => {
  fc.assert(
    fc.property(history, (writes) => {
      run(writes, (before, after) => {
        for (const [name, twin] of after) {
          const old = before.get(name)
          for (const side of ['desired', 'reported'] as const) {
            const changed = old?.[side].value !== twin[side].value
            expect(twin[side].version - (old?.[side].version ?? 0)).toBeGreaterThanOrEqual(changed ? 1 : 0)
          }
        }
      })
    }),
  )
})

test('hearing the newest word of the cloud any number of times, at any time after it, ends the same', () => {
  fc.assert(
    fc.property(
      history,
      fromCloud,
      fc.array(fromHere, { maxLength: 8 }),
      fc.infiniteStream(fc.boolean()),
      (past, last, later, again) => {
        const once = run([...past, last, ...later])
        const often = run([
          ...past,
          last,
          ...later.flatMap((write) => (again.next().value ? [last, write, last] : [write])),
          last,
        ])
        const values = (twins: Map<string, Twin>) =>
          [...twins].map(([name, { at, ...twin }]: [string, Twin & { at?: number }]) => ({
            name,
            deleted: twin.deleted,
            cloudDesired: twin.cloudDesired,
            desired: { ...twin.desired, at: 0 },
            reported: { ...twin.reported, at: 0 },
          }))
        expect(values(often)).toEqual(values(once))
      },
    ),
  )
})

test('an edit of the cloud that fits wins, whatever was written here before', () => {
  fc.assert(
    fc.property(history, property, fc.constantFrom('0', '1', '2', '3'), (past, name, wanted) => {
      const before = run(past)
      fc.pre(before.get(name)?.cloudDesired !== wanted && model.get(name)?.accessMode !== 'ReadOnly')
      const [edit] = changesOf(before, { by: 'cloud', desired: new Map([[name, wanted]]) }, 99).filter(
        (each) => each.property === name,
      )
      expect(edit?.after).toMatchObject({ deleted: false, cloudDesired: wanted, desired: { value: wanted } })
    }),
  )
})

test('nothing is ever held that the model refuses', () => {
  fc.assert(
    fc.property(history, (writes) => {
      for (const [name, { desired, reported }] of run(writes)) {
        for (const held of [desired.value, reported.value]) {
          if (held !== undefined) expect(validateValue(model.get(name), held)).toBeUndefined()
        }
        if (model.get(name)?.accessMode === 'ReadOnly') expect(desired.value).toBeUndefined()
      }
    }),
  )
})
