import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { framesIn } from '../support/frames-seen.ts'
import { configMap, podOn } from '../support/manifests.ts'

/** Text that hardly gets smaller when it is packed. */
function noise(chars: number): string {
  let text = ''
  for (let part = 0; text.length < chars; part++) text += createHash('sha512').update(`${part}`).digest('base64')
  return text.slice(0, chars)
}

test('a large object arrives over a narrow link that is cut again and again, and a killed edge goes on where it was', async () => {
  const fleet = await Fleet.start({ edges: 'process' })
  const edge = fleet.node('edge-1')
  const { link } = edge
  await eventually(() => fleet.api.find('nodes/edge-1'))
  const large = configMap('large', { text: noise(500_000) })
  const carried = link.carried.down
  link.narrow(400_000)
  await fleet.api.create(large, podOn('reader', 'edge-1', { configMap: 'large' }))
  for (let cut = 1; cut <= 3; cut++) {
    await eventually(() => link.carried.down - carried > cut * 90_000)
    link.cut()
    if (cut === 2) {
      await edge.stop('kill')
      await edge.start()
    }
    link.narrow(400_000)
  }
  const held = await eventually(async () =>
    (await edge.get('configmaps')).find(({ metadata }) => metadata.name === 'large'),
  )
  expect(held.data).toEqual(large.data)
  await fleet.level()
  // Where the pieces of each connection begin: each goes on where the last one was cut.
  const begins = link.toEdge.flatMap((chunks) => framesIn(chunks).find((frame) => frame.is === 'piece')?.at ?? [])
  expect(begins.length).toBeGreaterThan(2)
  expect(begins).toEqual([...begins].sort((a, b) => a - b))
  expect(begins.at(-1)).toBeGreaterThan(0)
})
