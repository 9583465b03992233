import { canonical } from '../canonical.ts'
import type { KubeObject } from '../objects.ts'
import { type Cause, forbidden, invalid, required, tooLong } from './causes.ts'
import { configKeyFaults } from './names.ts'
import { asObject } from './schema.ts'
import type { CheckInput, Strategy } from './strategy.ts'

const maxBytes = 1024 * 1024

export const configMapStrategy: Strategy = {
  check({ object, old }) {
    const data = asObject(object.data)
    const binaryData = asObject(object.binaryData)
    const both = Object.keys(data).filter((key) => Object.hasOwn(binaryData, key))
    const size = bytesOf(Object.values(data)) + bytesOf(Object.values(binaryData), 'base64')
    return [
      ...checkKeys('data', data),
      ...checkKeys('binaryData', binaryData),
      ...both.map((key) => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
      ...(size > maxBytes ? [tooLong('', maxBytes)] : []),
      ...checkImmutable(object, old, ['data', 'binaryData']),
    ]
  },
}

export const secretStrategy: Strategy = {
  defaults(object) {
    if (typeof object.type !== 'string' || object.type === '') object.type = 'Opaque'
    const plain = Object.entries(asObject(object.stringData))
    delete object.stringData
    if (plain.length === 0) return
    const coded = plain.map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')])
    object.data = { ...asObject(object.data), ...Object.fromEntries(coded) }
  },
  check({ object, old }) {
    const data = asObject(object.data)
    const changed = old !== undefined && canonical(object.type) !== canonical(old.type)
    return [
      ...checkKeys('data', data),
      ...(bytesOf(Object.values(data), 'base64') > maxBytes ? [tooLong('data', maxBytes)] : []),
      ...checkType(object),
      ...(changed ? [invalid('type', object.type, 'field is immutable')] : []),
      ...checkImmutable(object, old, ['data']),
    ]
  },
}

function checkKeys(field: string, data: Record<string, unknown>): Cause[] {
  return Object.keys(data).flatMap((key) =>
    configKeyFaults(key).map((fault) => invalid(`${field}[${key}]`, key, fault)),
  )
}

function bytesOf(values: unknown[], encoding: 'utf8' | 'base64' = 'utf8'): number {
  return values.reduce<number>((sum, value) => sum + Buffer.byteLength(String(value), encoding), 0)
}

function checkImmutable(object: KubeObject, old: CheckInput['old'], fields: string[]): Cause[] {
  if (old?.immutable !== true) return []
  const causes = object.immutable === true ? [] : [frozen('immutable')]
  for (const field of fields) {
    if (canonical(asObject(object[field])) !== canonical(asObject(old[field]))) causes.push(frozen(field))
  }
  return causes
}

function frozen(field: string): Cause {
  return forbidden(field, 'field is immutable when `immutable` is set')
}

/** Entries that a type of Secret must have. */
const requiredKeys: Record<string, string[]> = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
}

function checkType({ type, data, metadata }: KubeObject): Cause[] {
  const entries = asObject(data)
  const missing = (requiredKeys[String(type)] ?? []).filter((key) => !Object.hasOwn(entries, key))
  const causes = missing.map((key) => required(`data[${key}]`))
  if (
    type === 'kubernetes.io/basic-auth' &&
    !Object.hasOwn(entries, 'username') &&
    !Object.hasOwn(entries, 'password')
  ) {
    causes.push(required('data[username]'), required('data[password]'))
  }
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.['kubernetes.io/service-account.name']) {
    causes.push(required('metadata.annotations[kubernetes.io/service-account.name]'))
  }
  for (const key of ['.dockerconfigjson', '.dockercfg']) {
    if (requiredKeys[String(type)]?.includes(key) && typeof entries[key] === 'string' && !isJson(entries[key])) {
      causes.push(invalid(`data[${key}]`, '<secret contents redacted>', 'not JSON'))
    }
  }
  return causes
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
    return true
  } catch {
    return false
  }
}
