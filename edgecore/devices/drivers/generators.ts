import type { ModelProperty } from '@kedge/shared/twin'
import * as z from 'zod'

/**
 * What a virtual device's values are made of: pure functions of time, chance and the device's other values. A property
 * chooses its generator in `visitors.configData`.
 */
const milliseconds = z.number().min(1)
const decimals = z.int().min(0).max(15).optional().describe('Digits after the point.')

export const Generator = z.discriminatedUnion('generator', [
  z.object({ generator: z.literal('constant'), value: z.string() }),
  /** From `from` to `to` in `periodMs`, then again from the start. */
  z.object({ generator: z.literal('ramp'), from: z.number(), to: z.number(), periodMs: milliseconds, decimals }),
  z.object({ generator: z.literal('sine'), mean: z.number(), amplitude: z.number(), periodMs: milliseconds, decimals }),
  /** A step of at most `step` up or down each time, within the limits. */
  z.object({
    generator: z.literal('walk'),
    start: z.number(),
    step: z.number().positive(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    decimals,
  }),
  /** Nears the desired value of property `of`: 63 % of the way in `timeConstantMs`. Rests at `start` while there is none. */
  z.object({
    generator: z.literal('follow'),
    of: z.string().min(1),
    start: z.number(),
    timeConstantMs: milliseconds,
    decimals,
  }),
  /** One of the values after the other, each for `periodMs`. */
  z.object({ generator: z.literal('cycle'), values: z.array(z.string()).min(1), periodMs: milliseconds }),
  /** Does at once what is desired of the property itself. */
  z.object({ generator: z.literal('obey'), start: z.string().optional() }),
])
export type Generator = z.infer<typeof Generator>

export interface Moment {
  /** Milliseconds since the device started. */
  elapsed: number
  /** Milliseconds since the last value. */
  step: number
  /** A draw from [0, 1). */
  random: number
  /** The last value of this property, not rounded, or undefined at the start. */
  last: string | number | undefined
  /** Desired values in force, by property. */
  desired: ReadonlyMap<string, string>
}

/** The next value of `property`, not rounded yet, or undefined when there is none to report. */
export function generate(property: string, generator: Generator, moment: Moment): string | number | undefined {
  const { elapsed, last, desired } = moment
  switch (generator.generator) {
    case 'constant':
      return generator.value
    case 'ramp':
      return generator.from + ((generator.to - generator.from) * (elapsed % generator.periodMs)) / generator.periodMs
    case 'sine':
      return generator.mean + generator.amplitude * Math.sin((2 * Math.PI * elapsed) / generator.periodMs)
    case 'walk':
      return walk(generator, moment)
    case 'follow': {
      const from = numberOf(last) ?? generator.start
      return near(from, numberOf(desired.get(generator.of)) ?? from, moment.step / generator.timeConstantMs)
    }
    case 'cycle':
      return generator.values[Math.floor(elapsed / generator.periodMs) % generator.values.length]
    case 'obey':
      return desired.get(property) ?? last ?? generator.start
  }
}

function walk(
  { start, step, minimum = -Infinity, maximum = Infinity }: Extract<Generator, { generator: 'walk' }>,
  { last, random }: Moment,
): number {
  const from = numberOf(last)
  return from === undefined ? start : Math.min(maximum, Math.max(minimum, from + (2 * random - 1) * step))
}

/** What is left of the way from `from` to `to` shrinks by a factor e per time constant. */
export function near(from: number, to: number, timeConstants: number): number {
  return to + (from - to) * Math.exp(-timeConstants)
}

export function numberOf(value: string | number | undefined): number | undefined {
  const number = value === undefined || value === '' ? Number.NaN : Number(value)
  return Number.isFinite(number) ? number : undefined
}

/** What a property that names no generator does: it obeys when it can be written, and moves when it can only be read. */
export function defaultGenerator({ type, accessMode, minimum, maximum }: ModelProperty = {}): Generator {
  if (accessMode !== 'ReadOnly') return { generator: 'obey' }
  if (type === 'BOOLEAN') return { generator: 'cycle', values: ['false', 'true'], periodMs: 10_000 }
  if (type !== 'INT' && type !== 'FLOAT' && type !== 'DOUBLE') return { generator: 'constant', value: 'virtual' }
  const least = numberOf(minimum) ?? 0
  const most = Math.max(least, numberOf(maximum) ?? least + 100)
  const [start, step] = [(least + most) / 2, (most - least) / 50 || 1]
  return { generator: 'walk', start, step, minimum: least, maximum: most }
}

/** The text of a value: an integer for INT, else with two digits after the point unless told otherwise; no exponents. */
export function textOf(value: string | number, type: string | undefined, decimals = 2): string {
  if (typeof value === 'string') return value
  const fixed = value.toFixed(type === 'INT' ? 0 : decimals)
  return Number(fixed) === 0 ? fixed.replace('-', '') : fixed
}
