import { canonical } from '../canonical.ts'
import { PatchError } from './patch-error.ts'
import { isDeeperThan, isObject, type Json, maxDepth, setField } from './schema.ts'

/** As in Kubernetes. */
const maxOperations = 10_000

/** Bytes that all copies together may add: each copy can double an object. As in Kubernetes. */
const maxCopied = 3 * 1024 * 1024

/** RFC 6902: `document` after the operations, all of them or none. It is not changed. Throws `PatchError`. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new PatchError(400, 'error decoding patch: a JSON patch is a list of operations')
  if (patch.length > maxOperations) {
    const most = `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`
    throw new PatchError(413, most)
  }
  // The root hangs from a holder, so that even it can be replaced.
  const holder: Holder = { root: structuredClone(document), copied: 0 }
  for (const operation of patch) apply(holder, operation)
  return holder.root
}

interface Holder extends Json {
  root: unknown
  /** Bytes copied so far. */
  copied: number
}

function apply(holder: Holder, operation: unknown): void {
  const { op, path, from, value } = isObject(operation) ? operation : {}
  if (typeof op !== 'string') throw new PatchError(400, 'error decoding patch: an operation has a field "op"')
  if (typeof path !== 'string') throw new PatchError(400, `error decoding patch: ${op} needs a "path"`)
  const needsValue = op === 'add' || op === 'replace' || op === 'test'
  if (needsValue && !Object.hasOwn(operation as Json, 'value')) {
    throw new PatchError(400, `error decoding patch: ${op} ${path} needs a "value"`)
  }
  const origin = op === 'move' || op === 'copy' ? pointer(from, op) : []
  const target = pointer(path, op)
  switch (op) {
    case 'add':
      return add(holder, target, structuredClone(value))
    case 'replace':
      return replace(holder, target, structuredClone(value))
    case 'remove':
      remove(holder, target)
      return
    case 'test':
      return test(holder, target, value)
    case 'copy':
      return add(holder, target, copyOf(holder, origin))
    case 'move':
      if (isInside(target, origin)) throw refused(`cannot move ${from} into itself`)
      return add(holder, target, remove(holder, origin))
    default:
      throw new PatchError(400, `error decoding patch: unknown operation ${JSON.stringify(op)}`)
  }
}

function copyOf(holder: Holder, path: string[]): unknown {
  const value = get(holder, path)
  // A copy within itself doubles the depth too.
  if (isDeeperThan(value, maxDepth)) throw refused(`${shown(path)} nests deeper than ${maxDepth} levels`)
  const text = JSON.stringify(value)
  holder.copied += text.length
  if (holder.copied > maxCopied) throw new PatchError(413, `the copies of the patch add more than ${maxCopied} bytes`)
  return JSON.parse(text)
}

function isInside(inner: string[], outer: string[]): boolean {
  return inner.length > outer.length && outer.every((part, index) => inner[index] === part)
}

/** RFC 6901, with the holder's field first. */
function pointer(text: unknown, op: string): string[] {
  if (typeof text !== 'string') throw new PatchError(400, `error decoding patch: ${op} needs a "from"`)
  if (text !== '' && !text.startsWith('/')) {
    throw new PatchError(400, `error decoding patch: the path ${JSON.stringify(text)} does not begin with a slash`)
  }
  const parts = text.split('/').slice(1)
  return ['root', ...parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))]
}

/** For messages. */
function shown(path: string[]): string {
  const parts = path.slice(1).map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
  return `/${parts.join('/')}`
}

function refused(detail: string): PatchError {
  return new PatchError(422, `the server rejected our request due to an error in our request: ${detail}`)
}

/** The object or list that holds the last step of the path. */
function parentOf(holder: Holder, path: string[]): { parent: Json | unknown[]; last: string } {
  const last = path.at(-1) ?? 'root'
  let at: unknown = holder
  for (const step of path.slice(0, -1)) at = child(at, step)
  if (Array.isArray(at) || isObject(at)) return { parent: at, last }
  throw refused(`there is nothing to hold ${shown(path)}`)
}

function child(at: unknown, step: string): unknown {
  if (Array.isArray(at)) return isIndex(step) ? at[Number(step)] : undefined
  return isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined
}

function isIndex(step: string): boolean {
  return /^(0|[1-9]\d*)$/.test(step)
}

function get(holder: Holder, path: string[]): unknown {
  const { parent, last } = parentOf(holder, path)
  const value = child(parent, last)
  if (value === undefined) throw refused(`there is nothing at ${shown(path)}`)
  return value
}

function add(holder: Holder, path: string[], value: unknown): void {
  const { parent, last } = parentOf(holder, path)
  if (!Array.isArray(parent)) return setField(parent, last, value)
  const index = last === '-' ? parent.length : isIndex(last) ? Number(last) : Number.NaN
  if (!(index <= parent.length)) throw refused(`no element can be added at ${shown(path)}`)
  parent.splice(index, 0, value)
}

function replace(holder: Holder, path: string[], value: unknown): void {
  get(holder, path)
  const { parent, last } = parentOf(holder, path)
  if (Array.isArray(parent)) parent[Number(last)] = value
  else setField(parent, last, value)
}

function remove(holder: Holder, path: string[]): unknown {
  const value = get(holder, path)
  const { parent, last } = parentOf(holder, path)
  if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return value
}

/** Like the library that Kubernetes uses, takes what is missing for null. */
function test(holder: Holder, path: string[], value: unknown): void {
  const { parent, last } = parentOf(holder, path)
  const isDeep = isDeeperThan(child(parent, last), maxDepth)
  if (isDeep || canonical(child(parent, last) ?? null) !== canonical(value)) {
    throw refused(`testing value ${shown(path)} failed: test failed`)
  }
}
