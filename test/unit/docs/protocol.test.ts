import { readFileSync } from 'node:fs'
import { sessionTable } from '@kedge/cloudcore/sync/session-table'
import { bucketOf, bucketSums } from '@kedge/shared/buckets'
import { digestOf, hashOf } from '@kedge/shared/changes'
import { DownFrame, decodeDown, decodeUp, protocolVersion, UpFrame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'
import { unpackText } from '@kedge/shared/packs'
import { describe, expect, test } from 'vitest'

/** The specification, read as whoever implements it would. */
const page = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8')

/** The cells of the rows of the first table after `heading`. */
function tableAfter(heading: string): string[][] {
  const lines = page.slice(page.indexOf(heading)).split('\n')
  const first = lines.findIndex((line) => line.startsWith('|'))
  const rows = lines.slice(first, lines.indexOf('', first))
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

/** Frames whose fields the page tells otherwise, together with their lanes. */
const elsewhere = new Set(['reports', 'answered'])
const schemas = [...UpFrame.options, ...DownFrame.options].filter(({ shape }) => !elsewhere.has(shape.is.value))

describe('docs/PROTOCOL.md', () => {
  test.each(schemas.map((schema) => [schema.shape.is.value, schema] as const))(
    'tells the fields of %s',
    (kind, schema) => {
      const told = tableAfter(`#### \`${kind}\``)
        .slice(2)
        .map(([field]) => field)
      const known = Object.entries(schema.shape)
        .filter(([field]) => field !== 'is')
        .map(([field, type]) => (type.safeParse(undefined).success ? `${field}?` : field))
      expect(told.sort()).toEqual(known.sort())
    },
  )

  test('has the table of the session', () => {
    const [events = [], , ...rows] = tableAfter('### Down: the session of a node in cloudcore')
    const told = rows.map(([state = '', ...steps]) => [
      state,
      Object.fromEntries(steps.map((step, index) => [events[index + 1] ?? '', step])),
    ])
    expect(Object.fromEntries(told)).toEqual(sessionTable)
  })

  test('has a history up to the version that is spoken', () => {
    const history = page.slice(page.indexOf('## History'))
    expect(history.match(/^\d+\./gm)?.at(-1)).toBe(`${protocolVersion}.`)
    expect(page).toContain(`Version ${protocolVersion};`)
  })
})

describe('the example', () => {
  const example = page.slice(page.indexOf('### Down: an example'), page.indexOf('### Down: security'))
  const key: Key = 'configmaps/default/menu'
  const text = /```\n(\{"apiVersion".*)\n```/.exec(example)?.[1] ?? ''
  const hash = hashOf(key, text)

  test.each([...example.matchAll(/^(\{"is".*\})\n([0-9a-f]+)$/gm)].map(([, json = '', hex = '']) => [json, hex]))(
    'has bytes that are %s',
    (json, hex) => {
      const bytes = Buffer.from(hex, 'hex')
      const [asUp, asDown] = [decodeUp(bytes), decodeDown(bytes)]
      const decoded = asUp.ok ? asUp : asDown
      expect(decoded).toEqual({ ok: true, frame: JSON.parse(json) })
    },
  )

  test('has the hash, the bucket and the pack that its content has', () => {
    expect(example).toContain(`the hash \`${hash}\`, which is also the digest of the set`)
    expect(digestOf(new Map([[key, hash]]))).toBe(hash)
    expect(bucketOf(key, 16)).toBe(0)
    expect(bucketSums(new Map([[key, hash]]), 16)).toMatch(/^8P-KWg/)
    const pack = /```\n([0-9a-f]+)\n```\n\nwhich have the hash `(.*)`/.exec(example)
    expect(unpackText(Buffer.from(pack?.[1] ?? '', 'hex'), pack?.[2] ?? '')).toEqual({ ok: true, text })
  })
})
