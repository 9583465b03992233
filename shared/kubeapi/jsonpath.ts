import { isObject } from './schema.ts'

type Step =
  | { field: string }
  | { index: number }
  | { every: true }
  | { where: string[]; equals: boolean; value: unknown }

/** The values that a parsed path finds, in order. */
export type Path = (object: unknown) => unknown[]

/**
 * Parses the part of kubectl's JSONPath that printer columns use: `.a.b`, `.a\.b`, `['a.b']`, `[0]`, `[-1]`, `[*]` and
 * `[?(@.type=="Ready")]` with == or !=. Throws a TypeError that says where it stopped understanding.
 */
export function parseJsonPath(source: string): Path {
  const steps = stepsOf(source.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, ''))
  return (object) => steps.reduce((found, step) => found.flatMap((value) => follow(step, value)), [object])
}

const fieldForm = /^\.((?:[^.[\]\\]|\\.)+)/
const quotedForm = /^\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/
const indexForm = /^\[(-?\d+)\]/
const everyForm = /^(?:\[\*\]|\.\*)/
const whereForm = /^\[\?\(\s*@((?:\.[\w\-/]+)+)\s*(==|!=)\s*("[^"]*"|'[^']*'|[\w.-]+)\s*\)\]/

function stepsOf(source: string): Step[] {
  const steps: Step[] = []
  let rest = source
  while (rest !== '') {
    const [step, length] = nextStep(rest)
    if (step === undefined) throw new TypeError(`cannot read the JSONPath ${source} from ${JSON.stringify(rest)} on`)
    steps.push(step)
    rest = rest.slice(length)
  }
  return steps
}

function nextStep(rest: string): [Step | undefined, number] {
  const every = everyForm.exec(rest)
  if (every !== null) return [{ every: true }, every[0].length]
  const field = fieldForm.exec(rest)
  if (field !== null) return [{ field: unescaped(field[1] ?? '') }, field[0].length]
  const quoted = quotedForm.exec(rest)
  if (quoted !== null) return [{ field: unescaped(quoted[1] ?? quoted[2] ?? '') }, quoted[0].length]
  const index = indexForm.exec(rest)
  if (index !== null) return [{ index: Number(index[1]) }, index[0].length]
  const where = whereForm.exec(rest)
  if (where === null) return [undefined, 0]
  const [all, path = '', operator, value = ''] = where
  return [{ where: path.slice(1).split('.'), equals: operator === '==', value: literal(value) }, all.length]
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1')
}

function literal(text: string): unknown {
  if (/^['"]/.test(text)) return text.slice(1, -1)
  if (text === 'true' || text === 'false') return text === 'true'
  return Number.isNaN(Number(text)) ? text : Number(text)
}

function follow(step: Step, value: unknown): unknown[] {
  if ('field' in step) return isObject(value) && Object.hasOwn(value, step.field) ? [value[step.field]] : []
  if ('index' in step) return Array.isArray(value) && value.length > 0 ? present(value.at(step.index)) : []
  const members = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
  if ('every' in step) return members
  return members.filter((member) => (reach(member, step.where) === step.value) === step.equals)
}

function present(value: unknown): unknown[] {
  return value === undefined ? [] : [value]
}

function reach(value: unknown, path: string[]): unknown {
  return path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), value)
}
