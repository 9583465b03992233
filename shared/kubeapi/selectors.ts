import type { ApiKind } from './kinds.ts'
import { badRequest } from './status.ts'

/** One requirement of a label selector. */
export interface Requirement {
  key: string
  operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt'
  values: string[]
}

/** All requirements must hold. An empty selector selects everything. */
export type LabelSelector = readonly Requirement[]

const labelKey =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

/** Parses `a=b,c!=d,e in (f,g),h,!i,j>1`. Throws a 400 `StatusError` that shows the part that is wrong. */
export function parseLabelSelector(text: string): LabelSelector {
  return splitOutsideBrackets(text).map(parseRequirement)
}

function splitOutsideBrackets(text: string): string[] {
  if (text.trim() === '') return []
  return text.split(/,(?![^(]*\))/).map((part) => part.trim())
}

function parseRequirement(text: string): Requirement {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text)
  if (set) return checked(text, { key: set[1], operator: set[2] as 'in' | 'notin', values: splitValues(set[3]) })
  const compared = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$/.exec(text)
  if (compared) {
    return checked(text, { key: compared[1], operator: operators[compared[2] ?? '='], values: [compared[3] ?? ''] })
  }
  const bare = /^(!?)\s*([^\s=!<>()]+)$/.exec(text)
  if (bare) return checked(text, { key: bare[2], operator: bare[1] === '!' ? 'absent' : 'exists', values: [] })
  throw unparsable(text)
}

const operators: Record<string, Requirement['operator']> = {
  '=': 'in',
  '==': 'in',
  '!=': 'notin',
  '>': 'gt',
  '<': 'lt',
}

function splitValues(text: string | undefined): string[] {
  return (text ?? '').split(',').map((value) => value.trim())
}

function checked(
  text: string,
  { key = '', operator = 'in', values }: { key?: string; operator?: Requirement['operator']; values: string[] },
): Requirement {
  // 253 characters of prefix, the slash, 63 of name.
  if (key.length > 317 || !labelKey.test(key)) throw unparsable(text)
  const numeric = operator === 'gt' || operator === 'lt'
  for (const value of values) {
    if (value.length > 63 || !labelValue.test(value) || (numeric && !/^-?\d+$/.test(value))) throw unparsable(text)
  }
  return { key, operator, values }
}

function unparsable(text: string): Error {
  return badRequest(`unable to parse requirement: ${JSON.stringify(text.slice(0, 256))} is not a label requirement`)
}

export function matchesLabels(selector: LabelSelector, labels: Record<string, string> | undefined): boolean {
  return selector.every((requirement) => holds(requirement, labels ?? {}))
}

function holds({ key, operator, values }: Requirement, labels: Record<string, string>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'lt':
      return value !== undefined && Number(value) < Number(values[0])
  }
}

export interface FieldRequirement {
  /** For instance `spec.nodeName`. */
  path: string
  equal: boolean
  value: string
}

export type FieldSelector = readonly FieldRequirement[]

/** Parses `a.b=c,d!=e`; a backslash escapes `,`, `=` and itself. The kind says what it can be selected by. */
export function parseFieldSelector(text: string, kind: Selectable): FieldSelector {
  const parts = text.match(/(?:\\.|[^,\\])+/gs) ?? []
  return parts.map((part) => {
    const match = /^([^=!]+?)(==|!=|=)(.*)$/s.exec(part.trim())
    if (!match) throw badRequest(`invalid selector: ${JSON.stringify(text.slice(0, 256))}; can't understand '${part}'`)
    const [, path = '', operator, value = ''] = match
    if (!always.includes(path) && !kind.selectableFields.includes(path)) throw unknownField(path, kind)
    return { path, equal: operator !== '!=', value: value.replaceAll(/\\(.)/gs, '$1') }
  })
}

type Selectable = Pick<ApiKind, 'selectableFields' | 'custom'>

const always = ['metadata.name', 'metadata.namespace']

/** Kubernetes has other words for its own kinds that have nothing more than a name and a namespace to select by. */
function unknownField(path: string, { selectableFields, custom }: Selectable): Error {
  if (custom || selectableFields.length > 0) return badRequest(`field label not supported: ${path}`)
  const known = always.map((one) => JSON.stringify(one)).join(', ')
  return badRequest(`${JSON.stringify(path)} is not a known field selector: only ${known}`)
}

export function matchesFields(selector: FieldSelector, object: object): boolean {
  return selector.every(({ path, equal, value }) => (fieldText(object, path) === value) === equal)
}

/** A missing field reads as the empty text, as in Kubernetes. */
function fieldText(object: object, path: string): string {
  let at: unknown = object
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return ''
    at = (at as Record<string, unknown>)[step]
  }
  return at === undefined || at === null ? '' : String(at)
}

/** The one name that a selector can match, when it says so. */
export function selectedName(selector: FieldSelector): string | undefined {
  return selector.find(({ path, equal }) => path === 'metadata.name' && equal)?.value
}
