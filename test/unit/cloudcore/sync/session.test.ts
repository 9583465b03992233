import { Session } from '@kedge/cloudcore/sync/session'
import type { SessionEvent } from '@kedge/cloudcore/sync/session-table'
import { WantedSet } from '@kedge/cloudcore/sync/wanted'
import { digestOf, emptyDigest, type Hash, hashOf } from '@kedge/shared/changes'
import type { DownFrame, Frame } from '@kedge/shared/frames'
import { contentText, type Key, type KubeObject } from '@kedge/shared/objects'
import { beforeEach, describe, expect, test } from 'vitest'

let wanted: WantedSet
let session: Session
let now: number

beforeEach(() => {
  wanted = new WantedSet()
  session = new Session({ epoch: 'e1', wanted })
  now = 0
})

const key = (name: string): Key => `configmaps/default/${name}`

function want(name: string, value: string): Key {
  const object: KubeObject = { metadata: { name, namespace: 'default' }, data: { value } }
  wanted.set(key(name), { object, hash: hashOf(key(name), contentText('configmaps', object)) })
  return key(name)
}

function unwant(name: string): Key {
  wanted.set(key(name), undefined)
  return key(name)
}

const on = (event: SessionEvent): DownFrame[] => session.on(event, now)

function have(fields: Partial<Frame<'have'>> = {}): Frame<'have'> {
  const edge = { epoch: '', revision: 0, digest: emptyDigest, count: 0 }
  return { is: 'have', protocol: 1, talk: 'run.1', ...edge, why: 'connect', edgecore: 'test', ...fields }
}

function applied({ to, digest }: Frame<'changes'>): Frame<'applied'> {
  return { is: 'applied', talk: 'run.1', epoch: 'e1', revision: to, digest }
}

function changesIn(frames: DownFrame[]): Frame<'changes'>[] {
  return frames.filter((frame) => frame.is === 'changes')
}

describe('a node that holds nothing', () => {
  test('is sent what it should hold, and is level once it has confirmed that', () => {
    want('a', '1')
    on({ is: 'up' })
    const [change] = changesIn(on(have()))
    expect(change).toMatchObject({ base: emptyDigest, digest: digestOf(wanted.inventory), drop: [] })
    expect(session.state).toBe('changing')
    expect(on(applied(change as Frame<'changes'>))).toEqual([])
    expect(session.state).toBe('level')
    expect(session.confirmed?.holds).toEqual(wanted.inventory)
  })

  test('is told same when it should hold nothing', () => {
    on({ is: 'up' })
    expect(on(have())).toEqual([{ is: 'same', talk: 'run.1', epoch: 'e1', revision: 1, digest: emptyDigest }])
  })
})

describe('a node that comes back', () => {
  test('gets what changed meanwhile, from the revision that it had confirmed', () => {
    want('a', '1')
    on({ is: 'up' })
    const [first] = changesIn(on(have()))
    on(applied(first as Frame<'changes'>))
    on({ is: 'down' })
    on({ is: 'moved', keys: [want('a', '2')] })
    on({ is: 'up' })
    const back = have({ talk: 'run.2', epoch: 'e1', revision: first?.to ?? 0, digest: first?.digest ?? '' })
    const [change] = changesIn(on(back))
    expect(change).toMatchObject({ from: first?.to, base: first?.digest })
    expect(change?.put.map(([put]) => put)).toEqual([key('a')])
  })

  test('gets it also when it had applied a change whose confirmation was lost', () => {
    on({ is: 'up' })
    on(have())
    const [lost] = changesIn(on({ is: 'moved', keys: [want('a', '1')] }))
    on({ is: 'down' })
    on({ is: 'up' })
    const back = have({ talk: 'run.2', epoch: 'e1', revision: lost?.to ?? 0, digest: lost?.digest ?? '' })
    expect(on(back)).toEqual([{ is: 'same', talk: 'run.2', epoch: 'e1', revision: lost?.to, digest: lost?.digest }])
  })

  test('with an unknown set is compared, part by part in any order, and gets only what differs', () => {
    want('same', '1')
    want('new', '1')
    const held: [Key, Hash][] = [
      [key('same'), wanted.inventory.get(key('same')) ?? ''],
      [key('old'), hashOf(key('old'), '{}')],
    ]
    on({ is: 'up' })
    expect(on(have({ epoch: 'e0', revision: 7, digest: digestOf(new Map(held)), count: 2 }))).toEqual([
      { is: 'compare', talk: 'run.1' },
    ])
    const part = (index: number): SessionEvent => ({
      is: 'inventory',
      talk: 'run.1',
      part: index,
      of: 2,
      items: held.slice(index, index + 1),
    })
    expect(on(part(1))).toEqual([])
    const [change] = changesIn(on(part(0)))
    expect(change).toMatchObject({ base: digestOf(new Map(held)), drop: [key('old')] })
    expect(change?.put.map(([put]) => put)).toEqual([key('new')])
  })

  test('with an old have after a newer one is not listened to', () => {
    on({ is: 'up' })
    on(have({ talk: 'run.2' }))
    expect(on(have({ talk: 'run.1' }))).toEqual([])
  })

  test('is heard on a new link, whatever number it had given a talk on the one before', () => {
    on({ is: 'up' })
    on(have({ talk: 'run.999999999' }))
    expect(on(have({ talk: 'run.2' }))).toEqual([])
    on({ is: 'up' })
    expect(on(have({ talk: 'run.3' }))).toMatchObject([{ is: 'same', talk: 'run.3' }])
    expect(on(have({ talk: 'run.2' }))).toEqual([])
  })
})

describe('changes on their way', () => {
  beforeEach(() => {
    on({ is: 'up' })
    on(have())
  })

  test('are at most eight; what moves meanwhile goes once, in its newest form, when one has arrived', () => {
    const sent = [...new Array(8).keys()].flatMap((index) =>
      changesIn(on({ is: 'moved', keys: [want(`c${index}`, '1')] })),
    )
    expect(sent).toHaveLength(8)
    expect(on({ is: 'moved', keys: [want('late', '1')] })).toEqual([])
    expect(on({ is: 'moved', keys: [want('late', '2')] })).toEqual([])
    const [next] = changesIn(on(applied(sent[0] as Frame<'changes'>)))
    expect(next?.put).toMatchObject([[key('late'), { data: { value: '2' } }]])
  })

  test('add before they remove, and say which one completes the set', () => {
    const big = 'x'.repeat(300 * 1024)
    const [first] = changesIn(on({ is: 'moved', keys: [want('gone', '1')] }))
    on(applied(first as Frame<'changes'>))
    const frames = changesIn(on({ is: 'moved', keys: [unwant('gone'), want('a', big), want('b', big)] }))
    for (const frame of frames) frames.push(...changesIn(on(applied(frame))))
    expect(frames.map(({ put, drop, complete }) => [put.map(([each]) => each), drop, complete])).toEqual([
      [[key('a')], [], false],
      [[key('b')], [], false],
      [[], [key('gone')], true],
    ])
  })

  test('of an older edge go again, unchanged, when nothing was heard of them for a minute', () => {
    const sent = on({ is: 'moved', keys: [want('a', '1')] })
    now = 59_999
    expect(on({ is: 'tick' })).toEqual([])
    now = 60_000
    expect(on({ is: 'tick' })).toEqual(sent)
  })

  test('that moved there and back cost nothing', () => {
    const [first] = changesIn(on({ is: 'moved', keys: [want('a', '1')] }))
    on(applied(first as Frame<'changes'>))
    want('a', '2')
    expect(on({ is: 'moved', keys: [want('a', '1')] })).toEqual([])
  })

  test('that result in another digest at the edge lead to a comparison', () => {
    const [change] = changesIn(on({ is: 'moved', keys: [want('a', '1')] }))
    const wrong = { ...applied(change as Frame<'changes'>), digest: emptyDigest }
    expect(on(wrong)).toEqual([{ is: 'compare', talk: 'run.1' }])
    expect(session.state).toBe('comparing')
  })

  test('with an object that the edge cannot use go on, and say so until it has another', () => {
    const [change] = changesIn(on({ is: 'moved', keys: [want('bad', '1')] }))
    on({ ...applied(change as Frame<'changes'>), refused: [{ key: key('bad'), reason: 'no' }] })
    expect(session.state).toBe('level')
    expect([...session.refused]).toEqual([[key('bad'), 'no']])
    const [mended] = changesIn(on({ is: 'moved', keys: [want('bad', '2')] }))
    on(applied(mended as Frame<'changes'>))
    expect(session.refused.size).toBe(0)
  })
})

test('a frame that could not be read leads to a comparison', () => {
  on({ is: 'up' })
  on(have())
  expect(on({ is: 'malformed' })).toEqual([{ is: 'compare', talk: 'run.1' }])
})
