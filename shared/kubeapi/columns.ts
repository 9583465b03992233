import type { KubeObject } from '../objects.ts'
import { age } from './human-duration.ts'

export type Cell = string | number | boolean | null

/** One column of a table, with how to fill it. */
export interface Column {
  name: string
  /** OpenAPI type: string, integer, number, boolean or date. */
  type: string
  format: string
  description: string
  /** 0 is always shown, higher numbers only with `-o wide`. */
  priority: number
  /** `now` is in milliseconds since the epoch. */
  cell(object: KubeObject, now: number): Cell
}

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique in its namespace among objects of its kind.',
  priority: 0,
  cell: (object) => object.metadata.name,
}

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  format: '',
  description: 'Time since the object was created.',
  priority: 0,
  cell: (object, now) => age(object.metadata.creationTimestamp, now),
}

/** A column of strings, or of another type given in `more`. */
export function column(name: string, description: string, cell: Column['cell'], more: Partial<Column> = {}): Column {
  return { name, type: 'string', format: '', description, priority: 0, cell, ...more }
}
