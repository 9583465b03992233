import { readdirSync, readFileSync } from 'node:fs'
import { deviceCrdFiles, deviceCrds, deviceStatusCrd } from '@kedge/shared/kubeapi/device-crds'
import { asArray, asObject, isObject } from '@kedge/shared/kubeapi/schema'
import { admit } from '@kedge/shared/kubeapi/validate'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { builtIn } from '../../../support/kinds.ts'

const dir = new URL('../../../../deploy/', import.meta.url)

/** Every word of every schema in a document. */
function words(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const one of value) words(one, found)
  else if (isObject(value)) {
    for (const [word, inner] of Object.entries(value)) {
      found.add(word)
      words(inner, found)
    }
  }
  return found
}

describe('deploy/crds', () => {
  it('has exactly these files', () => {
    const names = ['crds', 'device-status'].flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, dir))
        .filter((name) => /^device\w+\./.test(name))
        .map((name) => `${folder}/${name}`),
    )
    expect(names.sort()).toEqual(
      deviceCrdFiles()
        .map(({ name }) => name)
        .sort(),
    )
  })

  it.each(deviceCrdFiles().map(({ name, text }) => [name, text]))(
    '%s is up to date (npx tsx scripts/crds.ts)',
    (name, text) => {
      expect(readFileSync(new URL(name, dir), 'utf8')).toBe(text)
    },
  )

  it('is what is applied', () => {
    expect(deviceCrdFiles().map(({ text }) => parse(text))).toEqual([...deviceCrds(), deviceStatusCrd()])
  })
})

describe('the definitions', () => {
  it.each([...deviceCrds(), deviceStatusCrd()].map((crd) => [crd.metadata.name, crd] as const))(
    '%s is admitted as it is',
    (_, crd) => {
      const admitted = admit({ kind: builtIn('CustomResourceDefinition'), operation: 'create', object: crd })
      expect(admitted).toMatchObject({ causes: [], unknown: [], warnings: [] })
      expect(admitted.object.spec).toMatchObject(crd.spec ?? {})
    },
  )

  it('say only what a structural schema may', () => {
    const found = words(deviceCrds().map(({ spec }) => spec))
    for (const word of ['$ref', '$schema', '$defs', 'anyOf', 'const', 'exclusiveMinimum']) {
      expect(found).not.toContain(word)
    }
    expect(JSON.stringify(deviceCrds())).not.toContain('"additionalProperties":false')
  })

  it('have a status of its own on Device alone', () => {
    expect(deviceCrds().map(({ spec }) => asArray(spec?.versions).map((one) => asObject(one).subresources))).toEqual([
      [{ status: {} }, undefined],
      [undefined, undefined],
    ])
  })
})
