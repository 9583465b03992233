import { mergedTwins } from '@kedge/cloudcore/kube/device-status'
import type { TwinReport } from '@kedge/shared/reports'
import {
  applyCloud,
  applyLocal,
  type Change,
  delta,
  type Model,
  type PropertyUpdate,
  reportOf,
  type Twin,
  twinReport,
  validateValue,
  visible,
} from '@kedge/shared/twin'
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

test('the delta is what is desired and not reported, and reporting it leaves none', () => {
  fc.assert(
    fc.property(history, (writes) => {
      const twins = run(writes)
      const open = delta(twins)
      for (const [name, twin] of twins) {
        const wanted = visible(twin)?.desired.value
        const differs = wanted !== undefined && wanted !== '' && wanted !== twin.reported.value
        expect(open.get(name)).toBe(differs ? wanted : undefined)
      }
      const report = new Map([...open].map(([name, reported]) => [name, { reported }]))
      for (const { property, after } of changesOf(twins, { by: 'local', update: report }, 99))
        twins.set(property, after)
      expect(delta(twins).size).toBe(0)
    }),
  )
})

test('a deleted property says nothing, and comes back empty but for what is written, its versions going on', () => {
  fc.assert(
    fc.property(history, property, fc.constantFrom('1', '2', '3'), (past, name, reported) => {
      const before = run(past)
      fc.pre(visible(before.get(name)) !== undefined)
      const [gone] = changesOf(before, { by: 'local', update: new Map([[name, null]]) }, 98)
      expect(gone && reportOf([gone])).toEqual({ [name]: null })
      const without = new Map(before).set(name, gone?.after as Twin)
      expect([visible(without.get(name)), delta(without).has(name)]).toEqual([undefined, false])
      const [back] = changesOf(without, { by: 'local', update: new Map([[name, { reported }]]) }, 99)
      expect(back?.after).toMatchObject({
        deleted: false,
        desired: { value: undefined },
        reported: { value: reported },
      })
      for (const side of ['desired', 'reported'] as const) {
        expect(gone?.after[side].version).toBeGreaterThan(before.get(name)?.[side].version ?? 0)
        expect(back?.after[side].version).toBeGreaterThanOrEqual(gone?.after[side].version ?? 0)
      }
      // What the cloud wanted before does not bring back what was deleted here.
      const again = new Map([...before].map(([each, { cloudDesired = '' }]) => [each, cloudDesired]))
      expect(changesOf(without, { by: 'cloud', desired: again }, 99)).toEqual([])
    }),
  )
})

test('edits of both sides while the link is down: the cloud wins where it edited, the device everywhere else', () => {
  fc.assert(
    fc.property(history, fc.array(fromHere, { maxLength: 8 }), fromCloud, (past, here, there) => {
      if (there.by !== 'cloud') return
      const parted = run(past)
      const local = run([...past, ...here])
      const joined = run([...past, ...here, there])
      for (const name of new Set([...local.keys(), ...joined.keys()])) {
        const [was, mine, both] = [parted.get(name), local.get(name), joined.get(name)]
        const want = there.desired.get(name) || undefined
        const fits =
          model.get(name)?.accessMode !== 'ReadOnly' && validateValue(model.get(name), want ?? '') === undefined
        const edited = (want === undefined || fits) && want !== was?.cloudDesired
        expect(both?.desired.value).toBe(edited ? want : mine?.desired.value)
        expect(both?.reported.value).toBe(mine?.reported.value)
        expect(both?.cloudDesired).toBe(edited ? want : was?.cloudDesired)
      }
    }),
  )
})

test('the cloud has the same twins whether it hears of each change or of all of them at once', () => {
  type Reported = Record<string, TwinReport | null>
  const merge = (reports: readonly Reported[]) =>
    reports.reduce((held, report) => mergedTwins(held, new Map(Object.entries(report))), mergedTwins([], new Map()))
  const shown = (twins: ReturnType<typeof merge>) =>
    Object.fromEntries(
      twins.map(({ propertyName, observedDesired, reported }) => [
        propertyName,
        [observedDesired?.value, reported?.value, (observedDesired ?? reported)?.metadata?.type],
      ]),
    )
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.boolean()), (writes, cut) => {
      const each: Reported[] = []
      const folded: Reported[] = [{}]
      let twins = new Map<string, Twin>()
      writes.forEach((write, now) => {
        const changes: Change[] = changesOf(twins, write, now)
        twins = new Map([...twins, ...changes.map(({ property, after }) => [property, after] as const)])
        const report = reportOf(changes) ?? {}
        each.push(report)
        if (cut.next().value) folded.push(report)
        else Object.assign(folded.at(-1) ?? {}, report)
      })
      const held = [...twins].filter(([, twin]) => !twin.deleted).map(([name, twin]) => [name, twinReport(twin)])
      const whole = shown(merge([Object.fromEntries(held)]))
      expect(shown(merge(each))).toEqual(whole)
      expect(shown(merge(folded))).toEqual(whole)
    }),
  )
})
