import { ageColumn, type Cell, type Column, nameColumn } from './columns.ts'
import { age } from './human-duration.ts'
import { type Path, parseJsonPath } from './jsonpath.ts'
import { asObject } from './schema.ts'

/** Columns of a custom resource: its name, and what the version's `additionalPrinterColumns` say, or else its age. */
export function customColumns(declared: readonly unknown[]): Column[] {
  if (declared.length === 0) return [nameColumn, { ...ageColumn, type: 'date' }]
  return [nameColumn, ...declared.map((one) => customColumn(asObject(one)))]
}

function customColumn(declared: Record<string, unknown>): Column {
  const { name, type, format, description, priority, jsonPath } = declared
  const path = parseJsonPath(String(jsonPath))
  return {
    name: String(name),
    type: String(type),
    format: typeof format === 'string' ? format : '',
    description: typeof description === 'string' ? description : `From ${jsonPath}.`,
    priority: typeof priority === 'number' ? priority : 0,
    cell: (object, now) => cellOf(String(type), path, object, now),
  }
}

function cellOf(type: string, path: Path, object: unknown, now: number): Cell {
  const value = path(object)[0]
  if (value === undefined || value === null) return null
  switch (type) {
    case 'string':
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? age(value, now) : null
    default:
      return null
  }
}
