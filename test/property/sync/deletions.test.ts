import type { DownFrame, UpFrame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'
import { expect, test } from 'vitest'
import { CloudEnd, down, EdgeEnd, settle, up } from '../../recorded/ends.ts'

/** Both ends with a hundred pods in agreement, and the frames between them, which the test carries. */
class Pair {
  readonly toEdge: Buffer[] = []
  readonly toCloud: Buffer[] = []
  readonly cloud = new CloudEnd((bytes) => this.toEdge.push(bytes))
  readonly edge = new EdgeEnd((bytes) => this.toCloud.push(bytes))

  static async make(): Promise<Pair> {
    const pair = new Pair()
    pair.cloud.restart('e1')
    pair.edge.restart('r1')
    for (let index = 0; index < 100; index++) pair.want(index)
    pair.link(true)
    await pair.carry()
    expect(pair.edge.holds.size).toBe(100)
    return pair
  }

  want(index: number): void {
    const metadata = { name: `p${index}`, namespace: 'default', uid: `u${index}` }
    this.cloud.set(pod(index), { metadata, spec: { containers: [] } })
  }

  link(isUp: boolean): void {
    this.toEdge.length = 0
    this.toCloud.length = 0
    this.cloud.link(isUp)
    this.edge.link(isUp)
  }

  /** Carries frames until one of this kind is next, or none is left. */
  async carry(until?: (UpFrame | DownFrame)['is']): Promise<boolean> {
    for (;;) {
      await settle()
      const next = this.toCloud[0] ?? this.toEdge[0]
      if (next === undefined) return false
      const isUp = next === this.toCloud[0]
      if ((isUp ? up(next) : down(next)).is === until) return true
      if (isUp) this.cloud.receive(this.toCloud.shift() ?? next)
      else this.edge.receive(this.toEdge.shift() ?? next)
    }
  }
}

const pod = (index: number): Key => `pods/default/p${index}`

/** The cloud starts again, lacks three pods, and does not know what the edge holds. */
function deleteThree(pair: Pair): void {
  pair.link(false)
  for (const index of [7, 50, 99]) pair.cloud.set(pod(index), undefined)
  pair.cloud.restart('e2')
  pair.link(true)
}

test('what was deleted while nobody saw it is found by comparing the sets, and goes', async () => {
  const pair = await Pair.make()
  deleteThree(pair)
  await pair.carry()
  expect(pair.edge.holds.size).toBe(97)
  for (const index of [7, 50, 99]) expect(pair.edge.holds.has(pod(index))).toBe(false)
})

test.each(['have', 'compare', 'buckets', 'inventory', 'changes'] as const)(
  'a comparison that is cut before its %s takes nothing away, and neither does a restart',
  async (kind) => {
    const pair = await Pair.make()
    const before = new Map(pair.edge.holds)
    deleteThree(pair)
    expect(await pair.carry(kind)).toBe(true)
    pair.link(false)
    expect(pair.edge.holds).toEqual(before)
    pair.edge.restart('r2')
    expect(pair.edge.holds).toEqual(before)
    pair.link(true)
    await pair.carry()
    expect(pair.edge.holds).toEqual(pair.cloud.holds)
    expect(pair.edge.holds.size).toBe(97)
  },
)
