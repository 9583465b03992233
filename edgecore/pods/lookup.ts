import type { Key, KubeObject } from '@kedge/shared/objects'

/** Finds an object that this node holds. */
export type Lookup = (key: Key) => KubeObject | undefined

/** The texts that a ConfigMap or a Secret holds, by key. */
export function textsOf(kind: 'configMap' | 'secret', { data }: KubeObject): Map<string, string> {
  const texts = stringsOf(data)
  if (kind === 'configMap') return new Map(texts)
  return new Map(texts.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}

/** Everything that a ConfigMap or a Secret holds, by key. */
export function bytesOf(kind: 'configMap' | 'secret', object: KubeObject): Map<string, Buffer> {
  const encoding = kind === 'secret' ? 'base64' : 'utf8'
  const contents = new Map<string, Buffer>()
  for (const [key, value] of stringsOf(object.data)) contents.set(key, Buffer.from(value, encoding))
  for (const [key, value] of stringsOf(object.binaryData)) contents.set(key, Buffer.from(value, 'base64'))
  return contents
}

function stringsOf(map: unknown): [string, string][] {
  if (typeof map !== 'object' || map === null) return []
  return Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
}
