import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parseEntry } from '@kedge/edgecore/node/log-line'
import { type LogRequest, readLog } from '@kedge/edgecore/node/log-reader'
import { beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { gather } from '../../../support/gather.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let file: string

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z`
const entry = (second: number, text: string, { stream = 'stdout', tag = 'F' } = {}) =>
  `${at(second)} ${stream} ${tag} ${text}\n`

async function texts(over: Partial<LogRequest> = {}): Promise<string[]> {
  return (await gather(readLog({ file, ...over }))).map(({ text }) => text)
}

beforeEach(() => {
  const folder = join(tempDir(), 'pod', 'web')
  mkdirSync(folder, { recursive: true })
  file = join(folder, '0.log')
})

test.each([
  ['2026-01-01T00:00:00Z stdout F hello', { stream: 'stdout', complete: true, text: 'hello' }],
  ['2026-01-01T00:00:00Z stderr P a  b ', { stream: 'stderr', complete: false, text: 'a  b ' }],
  ['2026-01-01T00:00:00Z stdout F ', { text: '' }],
  ['2026-01-01T00:00:00Z stdout F', { text: '' }],
  ['2026-01-01T00:00:00Z stdout F:later x', { complete: true, text: 'x' }],
])('an entry: %s', (line, expected) => {
  expect(parseEntry(line)).toMatchObject(expected)
})

test.each([
  '',
  'torn',
  '2026-01-01T00:00:00Z',
  '2026-01-01T00:00:00Z stdout',
  '2026-01-01T00:00:00Z else F x',
  'x stdout Q x',
])('no entry: %j', (line) => expect(parseEntry(line)).toBeUndefined())

describe('reading', () => {
  test('the pieces of long lines are put together, each stream for itself', async () => {
    const out = entry(1, 'one ', { tag: 'P' }) + entry(2, 'oops', { stream: 'stderr' }) + entry(3, 'line')
    writeFileSync(file, `${out}${entry(4, 'cut', { tag: 'P' })}torn end`)
    expect(await texts()).toEqual(['oops', 'one line', 'cut'])
  })

  test('what was moved away comes first, packed or not', async () => {
    writeFileSync(`${file}.20260101-000000.gz`, gzipSync(entry(1, 'a') + entry(2, 'b begins ', { tag: 'P' })))
    writeFileSync(`${file}.20260101-000001`, entry(3, 'and ends') + entry(4, 'c'))
    writeFileSync(`${file}.20260101-000000`, entry(1, 'packed and not yet removed'))
    writeFileSync(file, entry(5, 'd'))
    expect(await texts()).toEqual(['a', 'b begins and ends', 'c', 'd'])
    expect(await texts({ tail: 2 })).toEqual(['c', 'd'])
    expect(await texts({ tail: 0 })).toEqual([])
    expect(await texts({ since: Date.parse(at(4)) })).toEqual(['c', 'd'])
    expect(await texts({ since: Date.parse(at(4)), tail: 1 })).toEqual(['d'])
  })

  test('what is packed while it is read is there all the same', async () => {
    const moved = `${file}.20260101-000001`
    writeFileSync(`${file}.20260101-000000`, entry(1, 'a'))
    writeFileSync(moved, entry(2, 'b'))
    writeFileSync(file, entry(3, 'c'))
    const reading = readLog({ file })
    const seen = [(await reading.next()).value?.text]
    writeFileSync(`${moved}.gz`, gzipSync(entry(2, 'b')))
    rmSync(moved)
    for await (const { text } of reading) seen.push(text)
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  test('a container that has written nothing has no lines', async () => {
    expect(await texts()).toEqual([])
  })

  test('what is moved away in between is there once', async () => {
    writeFileSync(file, entry(1, 'a'))
    // As it looks when the file was opened before, and the folder read after it.
    linkSync(file, `${file}.20260101-000000`)
    expect(await texts()).toEqual(['a'])
  })

  test('bytes that are cut in the middle of a character are read whole', async () => {
    const text = 'ü'.repeat(70_000)
    writeFileSync(file, entry(1, text))
    expect(await texts()).toEqual([text])
  })
})

describe('following', () => {
  test('goes on with what comes, over a rotation, until the container has ended', async () => {
    const seen: string[] = []
    let over = false
    writeFileSync(file, entry(1, 'before') + entry(2, 'last'))
    const follow = { ended: async () => over, signal: new AbortController().signal }
    const reading = (async () => {
      for await (const { text } of readLog({ file, tail: 1, follow })) seen.push(text)
    })()
    await eventually(() => seen.includes('last'))
    await appendFile(file, `${at(3)} stdout F cut `)
    await appendFile(file, `in two\n`)
    renameSync(file, `${file}.20260101-000003`)
    await appendFile(`${file}.20260101-000003`, entry(4, 'late'))
    writeFileSync(file, entry(5, 'new'))
    await eventually(() => seen.includes('new'))
    over = true
    await reading
    expect(seen).toEqual(['last', 'cut in two', 'late', 'new'])
  })

  test('ends when nobody follows any more', async () => {
    const gone = new AbortController()
    const follow = { ended: async () => false, signal: gone.signal }
    const reading = gather(readLog({ file, follow }))
    gone.abort()
    expect(await reading).toEqual([])
  })
})
