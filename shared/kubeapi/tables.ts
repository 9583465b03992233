import type { KubeObject } from '../objects.ts'
import type { Cell, Column } from './columns.ts'
import type { ApiKind } from './kinds.ts'

export interface TableOptions {
  /** Milliseconds since the epoch: ages count up to here. */
  now: number
  /** What each row carries of its object. */
  includeObject: 'None' | 'Metadata' | 'Object'
  /** `metadata` of the table: resourceVersion, continue, remainingItemCount. */
  metadata?: Record<string, unknown>
}

export interface Table {
  kind: 'Table'
  apiVersion: 'meta.k8s.io/v1'
  metadata: Record<string, unknown>
  columnDefinitions: Omit<Column, 'cell'>[]
  rows: { cells: Cell[]; conditions?: unknown[]; object?: unknown }[]
}

/** The `meta.k8s.io/v1` Table of the objects, in their order: what kubectl prints. */
export function toTable(kind: ApiKind, objects: readonly KubeObject[], options: TableOptions): Table {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata ?? {},
    columnDefinitions: kind.columns.map(({ cell: _, ...definition }) => definition),
    rows: objects.map((object) => ({
      cells: kind.columns.map((column) => column.cell(object, options.now)),
      ...(kind.storage === 'pods' ? ended(object) : {}),
      ...carried(object, options.includeObject),
    })),
  }
}

/** Tells printers that a pod will not run again. */
function ended({ status }: KubeObject): { conditions?: unknown[] } {
  const phase = status?.phase
  if (phase !== 'Succeeded' && phase !== 'Failed') return {}
  const message = phase === 'Succeeded' ? 'All containers ended well.' : 'A container ended badly.'
  return { conditions: [{ type: 'Completed', status: 'True', reason: phase, message }] }
}

function carried(object: KubeObject, include: TableOptions['includeObject']): { object?: unknown } {
  if (include === 'None') return {}
  if (include === 'Object') return { object }
  return { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata } }
}
