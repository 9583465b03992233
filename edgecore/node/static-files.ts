import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { explain } from '@kedge/shared/errors'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { readStaticPod } from './static-pod.ts'

/** What a file of the folder says. */
export interface StaticFile {
  file: string
  /** What it was when it was read: it is read again when this is another. */
  stamp: string
  pods: { key: Key; content: KubeObject }[]
  /** Why it is not followed. */
  fault?: string
}

const maxBytes = 1024 * 1024
const forms = /\.(ya?ml|json)$/

/** Reads the folder, and of its files those that are new or changed since `before`. Rejects when it cannot be read. */
export async function readFolder(
  folder: string,
  nodeName: string,
  before: ReadonlyMap<string, StaticFile>,
): Promise<StaticFile[]> {
  const names = (await readdir(folder)).filter((name) => forms.test(name) && !name.startsWith('.')).sort()
  const files: StaticFile[] = []
  for (const name of names) files.push(await readOne(join(folder, name), { name, nodeName, known: before.get(name) }))
  return withoutTwins(files)
}

interface Reading {
  name: string
  nodeName: string
  known: StaticFile | undefined
}

async function readOne(path: string, { name, nodeName, known }: Reading): Promise<StaticFile> {
  let stamp = ''
  try {
    const { mtimeMs, size, ino } = await stat(path)
    stamp = `${mtimeMs} ${size} ${ino}`
    if (known?.stamp === stamp) return known
    if (size > maxBytes) throw new Error(`has ${size} bytes; at most ${maxBytes} are read`)
    const documents = await documentsOf(name, await readFile(path, 'utf8'))
    return { file: name, stamp, pods: podsOf(documents, nodeName) }
  } catch (error) {
    // What was good before goes on: somebody may be in the middle of writing.
    return { file: name, stamp, pods: known?.pods ?? [], fault: explain(error) }
  }
}

function podsOf(documents: readonly unknown[], nodeName: string): StaticFile['pods'] {
  if (documents.length === 0) throw new Error('holds no Pod')
  return documents.map((document, index) => {
    const read = readStaticPod(document, nodeName)
    if (!read.ok) throw new Error(documents.length === 1 ? read.reason : `document ${index + 1}: ${read.reason}`)
    return { key: read.key, content: read.content }
  })
}

async function documentsOf(name: string, text: string): Promise<unknown[]> {
  if (name.endsWith('.json')) return [JSON.parse(text)]
  // Loaded only where there is such a file: memory counts here.
  const { parseAllDocuments } = await import('@kedge/shared/yaml')
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document) => {
    const [fault] = document.errors
    if (fault) throw new Error(fault.message.split('\n')[0])
    const content: unknown = document.toJS()
    return content === null ? [] : [content]
  })
}

/** A pod that is in two files is that of the first. */
function withoutTwins(files: readonly StaticFile[]): StaticFile[] {
  const owners = new Map<Key, string>()
  return files.map((one) => {
    const taken = one.pods.find(({ key }) => owners.has(key))
    if (taken !== undefined) {
      const { name, namespace } = taken.content.metadata
      const fault = `pod ${namespace}/${name} is in ${owners.get(taken.key)}, too: give one of them another name`
      // Without a stamp it is read again: the other may be gone then.
      return { file: one.file, stamp: '', pods: [], fault }
    }
    for (const { key } of one.pods) owners.set(key, one.file)
    return one
  })
}
