import type { ModelProperty } from '@kedge/shared/twin'
import * as z from 'zod'
import { lookUp, parsePath, type Step } from './json-path.ts'
import { scaled, tidy } from './scaling.ts'

/** Where a value lies in what a device says, and what it means. Pure: text in, text out. */
export const Reading = z.object({
  path: z.string().optional().describe('Where the value lies in JSON: ENERGY.Power, params["switch:0"].output'),
  pattern: z.string().max(500).optional().describe('A regular expression for text; the value is its first group.'),
  map: z.record(z.string(), z.coerce.string()).optional().describe('What the device says → the value of the property.'),
  scale: z.number().optional().describe('The number of the device is multiplied by this.'),
  offset: z.number().optional().describe('This is added afterwards.'),
  decimals: z.int().min(0).max(15).optional().describe('Digits after the point.'),
})
export type Reading = z.infer<typeof Reading>

export interface Reader extends Reading {
  /** The property. */
  name: string
  modelled: ModelProperty | undefined
  steps: Step[] | undefined
  expression: RegExp | undefined
}

/** Prepares reading; throws an error that says which field is wrong. */
export function readerOf(name: string, reading: Reading, modelled: ModelProperty | undefined): Reader {
  if (reading.path !== undefined && reading.pattern !== undefined) throw new Error('path and pattern: give one of them')
  if (reading.scale === 0) throw new Error('scale: 0 makes every value 0')
  let expression: RegExp | undefined
  try {
    expression = reading.pattern === undefined ? undefined : new RegExp(reading.pattern, 'su')
  } catch (error) {
    throw new Error(`pattern: ${(error as Error).message}`)
  }
  let steps: Step[] | undefined
  try {
    steps = reading.path === undefined ? undefined : parsePath(reading.path)
  } catch (error) {
    throw new Error(`path ${(error as Error).message}`)
  }
  return { ...reading, name, modelled, steps, expression }
}

/** A pattern is not held against longer text than this. */
const maxPatternText = 16 * 1024

/** A payload that is read once and looked into by several readers. */
export class Said {
  readonly text: string
  #json: { value: unknown } | { fault: string } | undefined

  constructor(text: string) {
    this.text = text
  }

  /** The payload as JSON, or why it is none. */
  get json(): { value: unknown } | { fault: string } {
    if (this.#json === undefined) {
      try {
        this.#json = { value: JSON.parse(this.text) as unknown }
      } catch (error) {
        this.#json = { fault: (error as Error).message }
      }
    }
    return this.#json
  }
}

/**
 * The value of the property in what the device says, or undefined when it says nothing of it. Without path and pattern it
 * is the whole text, or the field of a JSON object that is named like the property. Throws what is wrong with it.
 */
export function read(said: Said, reader: Reader): string | undefined {
  const found = find(said, reader)
  if (found === undefined || found === null) return undefined
  const text = typeof found === 'object' ? JSON.stringify(found) : String(found)
  const { map } = reader
  if (map !== undefined && Object.hasOwn(map, text)) return map[text]
  return fitted(text, reader)
}

function find(said: Said, { name, steps, expression }: Reader): unknown {
  if (expression !== undefined) return expression.exec(said.text.slice(0, maxPatternText))?.[1]
  const { json } = said
  if (steps === undefined) {
    if (!('value' in json) || typeof json.value !== 'object' || json.value === null) return said.text.trim()
    return Array.isArray(json.value) || !Object.hasOwn(json.value, name) ? said.text : lookUp(json.value, [name])
  }
  if ('fault' in json) throw new Error(`found ${JSON.stringify(said.text.slice(0, 80))} where JSON should be`)
  return lookUp(json.value, steps)
}

/** The text in the form of the property's type. What does not fit is left for the model to refuse. */
function fitted(text: string, { modelled, scale, offset, decimals }: Reader): string {
  if (modelled?.type === 'BOOLEAN') return booleans[text.toLowerCase()] ?? text
  const arithmetic = scale !== undefined || offset !== undefined || decimals !== undefined
  const numeric = modelled?.type === 'INT' || modelled?.type === 'FLOAT' || modelled?.type === 'DOUBLE'
  if (!arithmetic && !numeric) return text
  const trimmed = text.trim()
  // Texts that are numbers already stay as they are: large integers would lose digits.
  if (!arithmetic && (modelled?.type !== 'INT' || /^[+-]?\d+$/.test(trimmed))) return trimmed
  const value = trimmed === '' ? Number.NaN : Number(trimmed)
  if (Number.isNaN(value)) {
    if (arithmetic) throw new Error(`found ${JSON.stringify(text.slice(0, 80))} where a number should be`)
    return trimmed
  }
  const number = scaled(value, scale ?? 1, offset ?? 0)
  if (modelled?.type === 'INT') return arithmetic || Number.isInteger(number) ? wholeText(number) : trimmed
  return decimals === undefined ? numberText(number) : plain(number.toFixed(decimals))
}

const booleans: Record<string, string> = {
  true: 'true',
  false: 'false',
  on: 'true',
  off: 'false',
  '1': 'true',
  '0': 'false',
  yes: 'true',
  no: 'false',
}

/** A number as text, without the noise that arithmetic leaves in the last digits. */
export function numberText(value: number): string {
  return plain(String(tidy(value)))
}

/** The whole number nearest to a number. */
export function wholeText(value: number): string {
  return Number.isFinite(value) ? BigInt(Math.round(value)).toString() : String(value)
}

function plain(text: string): string {
  return text === '-0' || /^-0\.0*$/.test(text) ? text.slice(1) : text
}

/** The other way: what the device is told for a value of the property. Throws when a number is needed and is not there. */
export function wordFor(value: string, { map, scale, offset, decimals }: Reader): string {
  const word = Object.entries(map ?? {}).find(([, mapped]) => mapped === value)?.[0]
  if (word !== undefined) return word
  if (scale === undefined && offset === undefined) return value
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (Number.isNaN(number)) throw new Error(`${JSON.stringify(value)} is no number`)
  const raw = (number - (offset ?? 0)) / (scale ?? 1)
  return decimals === undefined ? numberText(raw) : plain(raw.toFixed(decimals))
}

const placeholder = /\{\{\s*(\w+)\s*\}\}/g

/** What is wrong with a template, or undefined. */
export function templateFault(template: string): string | undefined {
  for (const [whole, name = ''] of template.matchAll(placeholder)) {
    if (name !== 'value' && name !== 'json') return `has ${whole}: there are {{value}} and {{json}}`
  }
  return undefined
}

/**
 * Fills in a template: `{{value}}` is the word as it is, `{{json}}` is the word as JSON, a number or a truth value where
 * the property is one.
 */
export function fill(template: string, word: string, modelled: ModelProperty | undefined): string {
  return template.replace(placeholder, (_, name) => (name === 'json' ? jsonOf(word, modelled) : word))
}

function jsonOf(word: string, modelled: ModelProperty | undefined): string {
  const type = modelled?.type
  if (type === 'BOOLEAN' && (word === 'true' || word === 'false')) return word
  const numeric = type === 'INT' || type === 'FLOAT' || type === 'DOUBLE'
  return numeric && /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(word) ? word : JSON.stringify(word)
}
