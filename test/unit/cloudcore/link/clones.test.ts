import { type NodeTraces, noTraces, runSpeaks, runTakesTurn, serialUsed } from '@kedge/cloudcore/link/clones'
import { describe, expect, test } from 'vitest'

/** What a node did, in order: `run@connection`. Returns the step at which it was proved to be in two places. */
function provedAt(steps: readonly string[]): number | undefined {
  let traces: NodeTraces = noTraces
  for (const [index, step] of steps.entries()) {
    const [run = '', connection] = step.split('@')
    const next = runSpeaks(traces, run, Number(connection))
    if (next.proof !== undefined) return index
    traces = next.traces
  }
  return undefined
}

describe('runs of edgecore', () => {
  test.each([
    ['one that speaks on', ['a@1', 'a@1', 'a@2', 'a@3']],
    ['one that is started again, and again', ['a@1', 'b@2', 'c@3', 'd@4', 'd@9']],
    ['one of which late words come behind its successor', ['a@1', 'b@2', 'a@2', 'b@2', 'c@3']],
    ['a hundred, one after the other', Array.from({ length: 100 }, (_, index) => `r${index}@${index}`)],
  ])('are no proof: %s', (_what, steps) => {
    expect(provedAt(steps)).toBeUndefined()
  })

  test.each([
    ['one comes back over a connection of its own', ['a@1', 'b@2', 'a@3'], 2],
    ['two of three take turns', ['a@1', 'b@2', 'c@3', 'b@4'], 3],
    ['one comes back after late words', ['a@1', 'b@2', 'a@2', 'a@3'], 3],
  ])('are proof when %s', (_what, steps, at) => {
    expect(provedAt(steps)).toBe(at)
  })
})

describe('runs of edgecore behind another broker', () => {
  const lockedAt = (runs: string) => {
    let traces: NodeTraces = noTraces
    for (const [index, run] of [...runs].entries()) {
      const next = runTakesTurn(traces, run)
      if (next.proof !== undefined) return index
      traces = next.traces
    }
    return undefined
  }

  test.each([
    ['one that speaks on', 'aaaa'],
    ['one that is started again, and again', 'abcdefghijkl'],
    ['one of which late words come behind its successor', 'aababbbcbcccdcd'],
  ])('are no proof: %s', (_what, runs) => {
    expect(lockedAt(runs)).toBeUndefined()
  })

  test.each([
    ['two take turns', 'ababab', 4],
    ['two of three take turns', 'abcbcbc', 5],
    ['three do', 'abcabcabc', 5],
  ])('are proof when %s', (_what, runs, at) => {
    expect(lockedAt(runs)).toBe(at)
  })
})

describe('certificates', () => {
  const used = (serials: readonly string[]) => {
    let traces: NodeTraces = noTraces
    return serials.map((serial) => {
      const next = serialUsed(traces, serial)
      traces = next.traces
      return next.proof ? 'proof' : next.suspicion ? 'suspicion' : '-'
    })
  }

  test('that are renewed are no proof', () => {
    expect(used(['1', '1', '2', '2', '3'])).toEqual(['-', '-', '-', '-', '-'])
  })

  test('of which an older one comes back are told, and proof once the newer one is there again', () => {
    expect(used(['1', '2', '1', '1', '2'])).toEqual(['-', '-', 'suspicion', '-', 'proof'])
  })

  test('that were put back from a backup and renewed are no proof', () => {
    expect(used(['1', '2', '1', '3', '3'])).toEqual(['-', '-', 'suspicion', '-', '-'])
  })
})
