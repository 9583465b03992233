import { isObject, type Json, setField } from './schema.ts'

/** RFC 7396: `target` with the patch merged in; null takes a field away. Neither is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const out: Json = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name]
    else setField(out, name, mergePatch(Object.hasOwn(out, name) ? out[name] : undefined, value))
  }
  return out
}
