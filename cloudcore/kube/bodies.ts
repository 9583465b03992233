import { explain } from '@kedge/shared/errors'
import type { KubeObject } from '@kedge/shared/objects'
import type { KubeList, WatchEvent } from './api.ts'
import { kubeError, type StatusBody } from './errors.ts'

/** A query string, or nothing; parameters that are undefined or empty are left out. */
export function queryOf(parameters: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') query.set(name, String(value))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

/** Any JSON object. */
export function parseObject(text: string): KubeObject {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${text.slice(0, 100)}`)
  return value as KubeObject
}

/** What a bad answer says, whether it is a Status or not. */
export function statusBody(text: string): StatusBody {
  try {
    const body = parseObject(text)
    return body.kind === 'Status' ? (body as StatusBody) : { message: text.slice(0, 200) }
  } catch {
    return { message: text.slice(0, 200) }
  }
}

/** One piece of a list; `next` is empty in the last one. */
export interface Page extends KubeList {
  next: string
}

/** Throws on what is not a list. */
export function listPage(list: KubeObject): Page {
  const metadata = list.metadata as { resourceVersion?: string; continue?: string } | undefined
  // Go writes an empty list as null where nobody thought of it.
  const found = list.items ?? []
  if (!Array.isArray(found) || metadata === undefined) throw new Error(`not a list: ${String(list.kind)}`)
  // Items of a list leave out what the list says once: their kind.
  const kind = String(list.kind ?? '').replace(/List$/, '')
  const items = (found as KubeObject[]).map((item) => ({ apiVersion: list.apiVersion, kind, ...item }))
  return { items, resourceVersion: metadata.resourceVersion ?? '', next: metadata.continue ?? '' }
}

/** One line of a watch. Throws the error of an ERROR event, and on what is not an event. */
export function watchEvent(line: string, what: string): WatchEvent {
  const event = parseEvent(line)
  if (event.type === 'ERROR') {
    const status = event.object as StatusBody
    throw kubeError(what, status.code ?? 500, status)
  }
  return event as WatchEvent
}

function parseEvent(line: string): { type: string; object: KubeObject } {
  try {
    const event = JSON.parse(line) as { type?: unknown; object?: unknown }
    if (typeof event.type !== 'string' || typeof event.object !== 'object' || event.object === null)
      throw new Error('no type or no object')
    return event as { type: string; object: KubeObject }
  } catch (cause) {
    throw new Error(`broken watch line: ${explain(cause)}`, { cause })
  }
}
