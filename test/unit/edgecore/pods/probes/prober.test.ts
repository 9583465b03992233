import { ContainerSpec } from '@kedge/edgecore/pods/container-schema'
import type { PodEvent } from '@kedge/edgecore/pods/events'
import { afterOutcome, initially, type Outcome, type ProbeState } from '@kedge/edgecore/pods/probes/probe-state'
import { Prober } from '@kedge/edgecore/pods/probes/prober'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HandClock } from '../../../../support/hand-clock.ts'

const good: Outcome = { is: 'success' }
const bad: Outcome = { is: 'failure', message: 'no' }
const unclear: Outcome = { is: 'error', message: 'the engine is away' }

describe('a verdict', () => {
  const after = (outcomes: Outcome[], [successThreshold, failureThreshold]: [number, number], from: ProbeState) =>
    outcomes.reduce((state, one) => afterOutcome(state, one, { successThreshold, failureThreshold }), from).verdict

  test.each<[string, Outcome[], [number, number], string]>([
    ['stays until there were enough', [bad, bad], [1, 3], 'success'],
    ['changes when there were enough', [bad, bad, bad], [1, 3], 'failure'],
    ['needs them in a row', [bad, bad, good, bad, bad], [1, 3], 'success'],
    ['comes back as it went', [bad, bad, bad, good], [2, 3], 'failure'],
    ['comes back after as many as are wanted', [bad, bad, bad, good, good], [2, 3], 'success'],
    ['does not hang on what could not be tried', [bad, unclear, bad, unclear, bad], [1, 3], 'failure'],
    ['does not change for what could not be tried', [unclear, unclear, unclear, unclear], [1, 1], 'success'],
  ])('%s', (_name, outcomes, thresholds, verdict) => {
    expect(after(outcomes, thresholds, initially.liveness)).toBe(verdict)
  })

  test('is failure only after so many failures in a row', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (outcomes, threshold) => {
        const verdict = after(
          outcomes.map((is) => (is ? good : bad)),
          [1, threshold],
          initially.liveness,
        )
        const last = outcomes.lastIndexOf(true)
        expect(verdict).toBe(outcomes.length - 1 - last >= threshold ? 'failure' : 'success')
      }),
    )
  })
})

interface Rig {
  clock: HandClock
  prober: Prober
  asked: string[]
  events: PodEvent[]
  changes: number
  pass: (seconds: number) => Promise<void>
}

/** A prober whose probes find out what `world` says at that moment. */
function rig(
  probes: Record<string, unknown>,
  world: Record<string, Outcome>,
  more: Partial<{ age: number; known: { started: boolean; ready: boolean }; share: number }> = {},
): Rig {
  const clock = new HandClock()
  const named = Object.entries(probes).map(([kind, probe]) => [
    `${kind}Probe`,
    { exec: { command: [kind] }, ...(probe as object) },
  ])
  const container = ContainerSpec.parse({ name: 'web', image: 'i', ...Object.fromEntries(named) })
  const asked: string[] = []
  const events: PodEvent[] = []
  const state = { changes: 0 }
  const prober = new Prober({
    ...{ container, scheduler: clock, age: 0, share: 0, monotonic: () => clock.monotonic() },
    attempt: async ({ exec }) => {
      const [kind = ''] = exec?.command ?? []
      asked.push(`${kind} ${clock.monotonic() / 1000}`)
      return world[kind] ?? good
    },
    changed: () => {
      state.changes += 1
    },
    tell: (event) => events.push(event),
    ...more,
  })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  const pass = async (seconds: number) => {
    let left = seconds * 1000
    await settle()
    while (left > 0) {
      left -= clock.tick(left)
      await settle()
    }
  }
  const start = clock.monotonic() / 1000
  return {
    ...{ clock, prober, events, pass },
    get asked() {
      return asked.map((text) => text.replace(/[\d.]+$/, (at) => String(Number(at) - start)))
    },
    get changes() {
      return state.changes
    },
  }
}

describe('a prober', () => {
  test('waits for its delay, then keeps its period', async () => {
    const one = rig({ liveness: { initialDelaySeconds: 5, periodSeconds: 10 } }, {})
    await one.pass(26)
    expect(one.asked).toEqual(['liveness 5', 'liveness 15', 'liveness 25'])
  })

  test('counts the time that the container has run already', async () => {
    const one = rig({ liveness: { initialDelaySeconds: 30, periodSeconds: 10 } }, {}, { age: 28_000 })
    await one.pass(3)
    expect(one.asked).toEqual(['liveness 2'])
  })

  test('asks nothing else while the container starts', async () => {
    const world: Record<string, Outcome> = { startup: bad }
    const one = rig({ startup: { periodSeconds: 1, failureThreshold: 10 }, liveness: {}, readiness: {} }, world)
    await one.pass(2.5)
    expect(one.asked.every((text) => text.startsWith('startup'))).toBe(true)
    expect([one.prober.started, one.prober.ready]).toEqual([false, false])
    world.startup = good
    await one.pass(1)
    expect([one.prober.started, one.prober.ready]).toEqual([true, true])
    expect(one.asked.slice(-2).map((text) => text.split(' ')[0])).toEqual(['liveness', 'readiness'])
  })

  test('gives up a container that does not live, and stops asking', async () => {
    const one = rig({ liveness: { periodSeconds: 1, failureThreshold: 3 } }, { liveness: bad })
    await one.pass(10)
    expect(one.prober.doomed?.kind).toBe('liveness')
    expect(one.asked).toHaveLength(3)
    expect(one.changes).toBe(1)
  })

  test('gives up a container that does not start', async () => {
    const one = rig({ startup: { periodSeconds: 1, failureThreshold: 2 }, liveness: {} }, { startup: bad })
    await one.pass(5)
    expect(one.prober.doomed?.kind).toBe('startup')
  })

  test('an engine that is away dooms nobody', async () => {
    const one = rig({ liveness: { periodSeconds: 1, failureThreshold: 1 } }, { liveness: unclear })
    await one.pass(60)
    expect(one.prober.doomed).toBeUndefined()
  })

  test('tells of a failure once, again after five minutes, and anew after a success', async () => {
    const world: Record<string, Outcome> = { readiness: bad }
    const one = rig({ readiness: { periodSeconds: 1 } }, world)
    await one.pass(10)
    expect(one.events).toEqual([{ type: 'Warning', reason: 'Unhealthy', message: 'Readiness probe failed: no' }])
    await one.pass(300)
    expect(one.events).toHaveLength(2)
    world.readiness = good
    await one.pass(2)
    world.readiness = bad
    await one.pass(2)
    expect(one.events).toHaveLength(3)
  })

  test('believes what an earlier edgecore found out', async () => {
    const world = { startup: bad, readiness: good }
    const one = rig({ startup: {}, readiness: { initialDelaySeconds: 100 } }, world, {
      known: { started: true, ready: true },
    })
    expect([one.prober.started, one.prober.ready]).toEqual([true, true])
    await one.pass(50)
    expect(one.asked).toEqual([])
  })

  test('does not ask of all that it adopts at the same moment, but at once of what was not well', async () => {
    const probes = { liveness: { periodSeconds: 10 }, readiness: { periodSeconds: 20 } }
    const well = rig(probes, {}, { age: 1e6, share: 0.5, known: { started: true, ready: true } })
    await well.pass(16)
    expect(well.asked).toEqual(['liveness 5', 'readiness 10', 'liveness 15'])
    const unready = rig(probes, {}, { age: 1e6, share: 0.5, known: { started: true, ready: false } })
    await unready.pass(6)
    expect(unready.asked).toEqual(['readiness 0', 'liveness 5'])
  })

  test('tells of a failure once, whatever time and numbers it names', async () => {
    let at = 0
    const readiness = {
      is: 'failure',
      get message() {
        at += 1
        return `at ${at} o'clock`
      },
    } as const
    const one = rig({ readiness: { periodSeconds: 1 } }, { readiness })
    await one.pass(10)
    expect(one.events).toHaveLength(1)
  })

  test('ends when it is stopped', async () => {
    const one = rig({ liveness: { periodSeconds: 1 } }, {})
    await one.pass(1)
    one.prober.stop()
    await one.pass(10)
    expect(one.asked.length).toBeLessThanOrEqual(2)
  })
})
