/** One fault of an object, in the form and the words of Kubernetes' `metav1.StatusCause`. */
export interface Cause {
  reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    | 'InternalError'
  message: string
  /** For instance `spec.containers[0].image`. */
  field: string
}

export function required(field: string, detail = ''): Cause {
  return { reason: 'FieldValueRequired', message: withDetail('Required value', detail), field }
}

export function invalid(field: string, value: unknown, detail: string): Cause {
  return { reason: 'FieldValueInvalid', message: withDetail(`Invalid value: ${shown(value)}`, detail), field }
}

export function typeInvalid(field: string, value: unknown, detail: string): Cause {
  return { reason: 'FieldValueTypeInvalid', message: withDetail(`Invalid value: ${shown(value)}`, detail), field }
}

export function notSupported(field: string, value: unknown, supported: readonly unknown[]): Cause {
  const list = supported.map((one) => JSON.stringify(one)).join(', ')
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
    field,
  }
}

export function duplicate(field: string, value: unknown): Cause {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${shown(value)}`, field }
}

export function forbidden(field: string, detail: string): Cause {
  return { reason: 'FieldValueForbidden', message: withDetail('Forbidden', detail), field }
}

export function notFound(field: string, value: unknown): Cause {
  return { reason: 'FieldValueNotFound', message: `Not found: ${shown(value)}`, field }
}

/** `max` is a number of bytes. */
export function tooLong(field: string, max: number): Cause {
  return { reason: 'FieldValueTooLong', message: `Too long: may not be more than ${max} bytes`, field }
}

export function tooMany(field: string, found: number, max: number): Cause {
  return { reason: 'FieldValueTooMany', message: `Too many: ${found}: must have at most ${max} items`, field }
}

function withDetail(head: string, detail: string): string {
  return detail === '' ? head : `${head}: ${detail}`
}

/** JSON, cut where a value is so long that nobody would read it. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null'
  return text.length > 4096 ? `${text.slice(0, 4096)}…` : text
}

/** What `Status.message` says of the causes after `<Kind> "<name>" is invalid: `. */
export function sumUp(causes: readonly Cause[]): string {
  const parts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))]
  return parts.length === 1 ? `${parts[0]}` : `[${parts.join(', ')}]`
}
