import { PieceTable } from '@kedge/edgecore/store/pieces'
import { Store } from '@kedge/edgecore/store/store'
import { Pieces } from '@kedge/edgecore/sync/pieces'
import { systemClock } from '@kedge/shared/clock'
import type { Frame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import { type Pack, packText } from '@kedge/shared/packs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

let path: string
let store: Store
let pieces: Pieces

beforeEach(() => {
  path = `${tempDir()}/edge.db`
  open()
})

afterEach(() => store.close())

function open(): void {
  store = Store.open({ path, clock: systemClock, log: silentLog })
  pieces = new Pieces(store, new PieceTable(store.db))
}

function reopen(): void {
  store.close()
  open()
}

function piece({ hash, bytes }: Pack, at: number, end: number, size = bytes.length): Frame<'piece'> {
  return { is: 'piece', talk: 't.1', pack: hash, size, at, data: bytes.subarray(at, end).toString('base64') }
}

const content = JSON.stringify({ metadata: { name: 'c' }, data: { text: 'some text that is not packed to nothing' } })

test('are kept in order over a restart, and give the text when all are there', async () => {
  const pack = packText(content)
  expect(await pieces.keep(piece(pack, 0, 10))).toBe(10)
  reopen()
  expect(pieces.partial).toEqual([[pack.hash, 10]])
  expect(await pieces.keep(piece(pack, 10, 20))).toBe(20)
  expect(pieces.text(pack.hash)).toBeUndefined()
  expect(await pieces.keep(piece(pack, 20, pack.bytes.length))).toBe(pack.bytes.length)
  reopen()
  expect(pieces.text(pack.hash)).toBe(content)
})

test('that leave a gap, come twice or reach too far are not kept', async () => {
  const pack = packText(content)
  expect(await pieces.keep(piece(pack, 10, 20))).toBe(0)
  expect(await pieces.keep(piece(pack, 0, 10))).toBe(10)
  expect(await pieces.keep(piece(pack, 0, 10))).toBe(10)
  expect(await pieces.keep(piece(pack, 10, 20, 15))).toBe(10)
  expect(pieces.partial).toEqual([[pack.hash, 10]])
})

test('of another object than they say give no text', async () => {
  const [pack, other] = [packText(content), packText('{}')]
  await pieces.keep({ ...piece(other, 0, other.bytes.length), pack: pack.hash })
  expect(pieces.text(pack.hash)).toBeUndefined()
  pieces.spoil([pack.hash])
  expect(pieces.partial).toBeUndefined()
  await store.commit(() => undefined)
  reopen()
  expect(pieces.partial).toBeUndefined()
})

test('are bounded: what is new displaces what began first', async () => {
  const size = 8 * 1024 * 1024
  const data = Buffer.alloc(size).toString('base64')
  const names = ['a', 'b', 'c'].map((letter) => letter.repeat(22))
  for (const pack of names) await pieces.keep({ is: 'piece', talk: 't.1', pack, size, at: 0, data })
  expect(pieces.partial?.map(([pack]) => pack)).toEqual(names.slice(1))
  reopen()
  expect(pieces.partial?.map(([pack]) => pack)).toEqual(names.slice(1))
})
