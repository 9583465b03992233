import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@kedge/shared/objects'
import { parseAllDocuments } from 'yaml'

const folder = join(import.meta.dirname, '../../deploy/examples/devices')

/** The manifests of an example, as the API would hand them down; `replace` changes their text first. */
export function exampleDevices(file: string, replace: (text: string) => string = (text) => text): KubeObject[] {
  return manifestsIn(replace(readFileSync(join(folder, file), 'utf8')))
}

export function manifestsIn(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => {
    const object = document.toJS() as KubeObject
    return { ...object, metadata: { namespace: 'default', uid: `uid-${object.metadata.name}`, ...object.metadata } }
  })
}
