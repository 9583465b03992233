import { explain } from '../errors.ts'

/**
 * How something stands that must hold: `ok`; `warn`, works now and will not for long, or not as it should; `fail`, has to
 * be mended; `skip`, is not looked at here, or cannot be.
 */
export type Standing = 'ok' | 'warn' | 'fail' | 'skip'

/** What a check says. */
export interface Verdict {
  standing: Standing
  /** What was found, in one line. */
  found: string
  /** What a person does about it. */
  todo?: string | undefined
}

export interface Finding extends Verdict {
  check: string
}

export interface Check {
  name: string
  /** Looks and judges; never rejects, and answers within its limit. */
  look(): Promise<Finding[]>
}

export interface CheckParts<F> {
  name: string
  /** Gathers the facts. May throw, and may be slow: `signal` aborts at the limit. */
  read: (signal: AbortSignal) => Promise<F> | F
  /** Judges them. Pure. Several verdicts are several lines. */
  judge: (facts: F) => Verdict | readonly Verdict[]
  /** Milliseconds, 5 s unless given. */
  limit?: number
}

const usualLimit = 5000

/** A check of facts that a thin reader gathers by a pure judgement. */
export function check<F>({ name, read, judge, limit = usualLimit }: CheckParts<F>): Check {
  return {
    name,
    async look() {
      const over = new AbortController()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<Verdict>((resolve) => {
        timer = setTimeout(() => {
          over.abort()
          resolve({
            standing: 'warn',
            found: `no answer within ${limit / 1000} s`,
            todo: 'run this again when the machine is less busy',
          })
        }, limit)
      })
      const said = (async () => judge(await read(over.signal)))().catch(
        (error: unknown): Verdict => ({ standing: 'skip', found: `cannot be looked at: ${explain(error)}` }),
      )
      const verdicts = await Promise.race([said, late])
      clearTimeout(timer)
      return [verdicts].flat().map((verdict) => ({ check: name, ...verdict }))
    },
  }
}

/** All checks at once, their findings in the order of the checks. Never rejects. */
export async function lookAll(checks: readonly Check[]): Promise<Finding[]> {
  return (await Promise.all(checks.map((one) => one.look()))).flat()
}

export const ok = (found: string): Verdict => ({ standing: 'ok', found })
export const warn = (found: string, todo?: string): Verdict => ({ standing: 'warn', found, todo })
export const fail = (found: string, todo?: string): Verdict => ({ standing: 'fail', found, todo })
export const skip = (found: string, todo?: string): Verdict => ({ standing: 'skip', found, todo })
