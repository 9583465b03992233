import * as z from 'zod'
import { near, numberOf } from './generators.ts'

/** A room with a heater: `spec.protocol.configData` of a virtual device with `device: thermostat`. Temperatures in °C. */
export const Thermostat = z.object({
  device: z.literal('thermostat'),
  /** What the room cools down to. */
  ambient: z.number().default(18),
  /** What the room would warm up to if the heater never stopped. */
  heater: z.number().default(35),
  /** How fast the room follows: 63 % of the way in this time, in milliseconds. */
  timeConstantMs: z.number().min(1).default(60_000),
  /** The heater starts this far below the target and stops this far above it. */
  hysteresis: z.number().min(0).default(0.2),
})
export type Thermostat = z.infer<typeof Thermostat>

/** What a thermostat has; `target` is the one to write. */
export const thermostatProperties = ['temperature', 'target', 'heating'] as const

export interface Room {
  temperature: number
  heating: boolean
}

/** The room after `step` milliseconds. Without a target the heater stays off. */
export function warm(
  { temperature, heating }: Room,
  { ambient, heater, timeConstantMs, hysteresis }: Thermostat,
  { target, step }: { target: string | undefined; step: number },
): Room {
  const goal = numberOf(target)
  const on = goal !== undefined && temperature < goal + (heating ? hysteresis : -hysteresis)
  return { temperature: near(temperature, on ? heater : ambient, step / timeConstantMs), heating: on }
}
