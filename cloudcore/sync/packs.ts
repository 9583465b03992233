import { contentText, type Key, type KubeObject, parseKey } from '@kedge/shared/objects'
import { type Pack, packText } from '@kedge/shared/packs'

interface Measured {
  /** Characters of the content. */
  size: number
  pack?: Pack
}

/** By object, so that many nodes share what was done for one, and that it goes with the object. */
const measured = new WeakMap<KubeObject, Measured>()

/** Whoever has the text of an object already spares others the work. */
export function noteSize(object: KubeObject, size: number): void {
  if (!measured.has(object)) measured.set(object, { size })
}

/** Characters of what an edge gets of the object. */
export function sizeOf(key: Key, object: KubeObject): number {
  return measure(key, object).size
}

/** The object packed, when it is then larger than `large` bytes. */
export function packOf(key: Key, object: KubeObject, large: number): Pack | undefined {
  const known = measure(key, object)
  // What is packed is hardly ever larger than the text was.
  if (known.size <= large) return undefined
  known.pack ??= packText(textOf(key, object))
  return known.pack.bytes.length > large ? known.pack : undefined
}

function measure(key: Key, object: KubeObject): Measured {
  const known = measured.get(object)
  if (known !== undefined) return known
  const made = { size: textOf(key, object).length }
  measured.set(object, made)
  return made
}

function textOf(key: Key, object: KubeObject): string {
  const resource = parseKey(key)?.resource
  return resource === undefined ? '' : contentText(resource, object)
}
