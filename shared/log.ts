import { type DestinationStream, type Logger, pino } from 'pino'
import { isoTime } from './clock.ts'

export type Log = Logger

export interface LogOptions {
  /** trace, debug, info, warn, error, fatal or silent. */
  level: string
  /** Name of the program: on every line, as `program`. */
  program: string
  version: string
  /** Where lines go; standard output unless given. */
  to?: DestinationStream
}

/**
 * The log of a program: one JSON object per line, fields rather than sentences. The message is the event's short name
 * (`link up`, `change applied`); everything else is a field. Secret values never go into a field.
 */
export function openLog({ level, program, version, to }: LogOptions): Log {
  const options = {
    level,
    base: { program, version },
    timestamp: () => `,"time":"${isoTime(Date.now())}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return to === undefined ? pino(options) : pino(options, to)
}

/** A log that says nothing, for tests. */
export const silentLog: Log = pino({ level: 'silent' })
