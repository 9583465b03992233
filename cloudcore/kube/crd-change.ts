import type { KubeObject } from '@kedge/shared/objects'
import { isJson, type Json } from './merge-patch.ts'

/**
 * The merge patch that brings a CustomResourceDefinition up to `wanted`, or undefined when it says all of that already.
 * What it says besides stays: a server's defaults, and other versions, which objects may still be stored in.
 */
export function crdChange(held: KubeObject, wanted: KubeObject): Json | undefined {
  const own = versionsOf(wanted)
  const names = new Set(own.map(({ name }) => name))
  const others = versionsOf(held).filter(({ name }) => !names.has(name))
  const versions = [...others.map((version) => ({ ...version, storage: false })), ...own]
  const spec = { ...wanted.spec, versions }
  return covers({ ...held.spec, versions: ordered(versionsOf(held)) }, { ...spec, versions: ordered(versions) })
    ? undefined
    : { spec }
}

function versionsOf({ spec }: KubeObject): Json[] {
  return Array.isArray(spec?.versions) ? spec.versions.filter(isJson) : []
}

function ordered(versions: Json[]): Json[] {
  return versions.toSorted((a, b) => String(a.name).localeCompare(String(b.name)))
}

/** Whether `held` says everything that `wanted` says. */
export function covers(held: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(held) && held.length === wanted.length && wanted.every((item, at) => covers(held[at], item))
  if (isJson(wanted))
    return (
      isJson(held) &&
      Object.entries(wanted).every(([field, value]) => value === undefined || covers(held[field], value))
    )
  return held === wanted
}
