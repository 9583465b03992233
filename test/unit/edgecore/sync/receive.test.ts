import { type Outcome, receive, type Standing } from '@kedge/edgecore/sync/receive'
import type { Frame } from '@kedge/shared/frames'
import { expect, test } from 'vitest'

const mine = 'A'.repeat(22)
const other = 'B'.repeat(22)

const standing: Standing = { epoch: 'e1', revision: 5, digest: mine, talk: 'run.2', adopted: true }
const asked: Standing = { ...standing, adopted: false }

const same: Frame<'same'> = { is: 'same', talk: 'run.2', epoch: 'e2', revision: 9, digest: mine }
const changes: Frame<'changes'> = {
  is: 'changes',
  talk: 'run.2',
  epoch: 'e1',
  from: 5,
  to: 6,
  base: mine,
  digest: other,
  put: [],
  drop: [],
  complete: true,
}
const piece: Frame<'piece'> = { is: 'piece', talk: 'run.2', pack: other, size: 3, at: 0, data: 'AAAA' }
const confirm: Frame<'confirm'> = { is: 'confirm', talk: 'run.2' }
const compare: Frame<'compare'> = { is: 'compare', talk: 'run.2' }

// The table of docs/PROTOCOL.md, cell by cell.
const table: [string, Standing, Parameters<typeof receive>[1], Outcome][] = [
  ['same, old talk', asked, { ...same, talk: 'run.1' }, { is: 'ignore', why: 'old-talk' }],
  ['same, asked, my digest', asked, same, { is: 'adopt', epoch: 'e2', revision: 9 }],
  ['same, asked, another digest', asked, { ...same, digest: other }, { is: 'doubt', why: 'digest' }],
  ['same, adopted', standing, same, { is: 'ignore', why: 'repeated' }],
  ['changes, old talk', standing, { ...changes, talk: 'run.1' }, { is: 'ignore', why: 'old-talk' }],
  ['changes, asked, my base', asked, changes, { is: 'apply', changes }],
  ['changes, asked, another base', asked, { ...changes, base: other }, { is: 'doubt', why: 'digest' }],
  ['changes, adopted, next', standing, changes, { is: 'apply', changes }],
  ['changes, adopted, done already', standing, { ...changes, from: 4, to: 5 }, { is: 'repeat-applied' }],
  ['changes, adopted, one too far', standing, { ...changes, from: 6, to: 7 }, { is: 'doubt', why: 'gap' }],
  ['changes, adopted, another base', standing, { ...changes, base: other }, { is: 'doubt', why: 'digest' }],
  ['changes, adopted, another epoch', standing, { ...changes, epoch: 'e0' }, { is: 'doubt', why: 'epoch' }],
  ['compare, old talk', standing, { ...compare, talk: 'run.1' }, { is: 'ignore', why: 'old-talk' }],
  ['compare, asked', asked, compare, { is: 'tell-all', question: compare }],
  ['compare, adopted', standing, compare, { is: 'tell-all', question: compare }],
  ['piece, old talk', standing, { ...piece, talk: 'run.1' }, { is: 'ignore', why: 'old-talk' }],
  ['piece, asked', asked, piece, { is: 'keep', piece }],
  ['piece, adopted', standing, piece, { is: 'keep', piece }],
  ['confirm, old talk', standing, { ...confirm, talk: 'run.1' }, { is: 'ignore', why: 'old-talk' }],
  ['confirm, asked', asked, confirm, { is: 'ignore', why: 'not-adopted' }],
  ['confirm, adopted', standing, confirm, { is: 'repeat-applied' }],
  ['sorry', asked, { is: 'sorry', talk: 'run.2', reason: 'upgrade' }, { is: 'halt', reason: 'upgrade' }],
]

test.each(table)('%s', (_name, from, frame, outcome) => {
  expect(receive(from, frame)).toEqual(outcome)
})
