import type { DownFrame, UpFrame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'
import { CloudEnd, down, EdgeEnd, settle, up } from '../../recorded/ends.ts'
import { type Line, readLines } from '../../recorded/lines.ts'

/**
 * Conversations as they were when a version of the protocol was finished, with the bytes that each end sent: against the
 * cloud of today an edge of then, and against the edge of today a cloud of then.
 */
const linesOf = (version: number) => readLines(new URL(`../../recorded/protocol-${version}.jsonl`, import.meta.url))

describe.each([1, 2])('a conversation of protocol %i', (version) => {
  const lines = linesOf(version)

  test('has every frame of that time in it', () => {
    const kinds = new Set(framesIn(lines).map(({ is }) => is))
    const first = ['applied', 'changes', 'compare', 'have', 'inventory', 'same']
    expect([...kinds].sort()).toEqual(version === 1 ? first : [...first, 'buckets', 'kept', 'piece'].sort())
  })

  test('goes on as it did between an edge of then and the cloud of today', () => {
    const said: DownFrame[] = []
    const cloud = new CloudEnd((bytes) => said.push(down(bytes)))
    for (const line of lines) {
      if ('toEdge' in line) expect(said.shift()).toEqual(down(Buffer.from(line.toEdge, 'base64')))
      else if ('toCloud' in line) cloud.receive(Buffer.from(line.toCloud, 'base64'))
      else act(line, cloud)
    }
    expect(said).toEqual([])
    expect(cloud.session.confirmed?.holds).toEqual(cloud.holds)
  })

  test('goes on as it did between a cloud of then and the edge of today', async () => {
    const said: UpFrame[] = []
    const edge = new EdgeEnd((bytes) => said.push(up(bytes)))
    const wanted = new CloudEnd(() => undefined)
    for (const line of lines) {
      if ('toEdge' in line) edge.receive(Buffer.from(line.toEdge, 'base64'))
      else if ('toCloud' in line) expect(said.shift()).toMatchObject(lasting(up(Buffer.from(line.toCloud, 'base64'))))
      else {
        act(line, wanted)
        if ('edge' in line) edge.restart(line.edge)
        if ('link' in line) edge.link(line.link === 'up')
        if ('tick' in line) {
          edge.now = line.tick
          edge.tick()
        }
      }
      await settle()
    }
    expect(said).toEqual([])
    expect(edge.holds).toEqual(wanted.holds)
  })
})

function framesIn(lines: readonly Line[]): (UpFrame | DownFrame)[] {
  const frames: (UpFrame | DownFrame)[] = []
  for (const line of lines) {
    if ('toEdge' in line) frames.push(down(Buffer.from(line.toEdge, 'base64')))
    else if ('toCloud' in line) frames.push(up(Buffer.from(line.toCloud, 'base64')))
  }
  return frames
}

function act(line: Line, cloud: CloudEnd): void {
  if ('cloud' in line) cloud.restart(line.cloud)
  else if ('set' in line) cloud.set(line.set as Key, line.object)
  else if ('drop' in line) cloud.set(line.drop as Key, undefined)
  else if ('garbled' in line) cloud.receive(Buffer.of(9))
  else if ('link' in line) cloud.link(line.link === 'up')
  else if ('tick' in line) {
    cloud.now = line.tick
    cloud.tell({ is: 'tick' })
  }
}

/** What a newer edge says too; the words of a reason may change. */
function lasting(frame: UpFrame): object {
  if (frame.is !== 'applied' || frame.refused === undefined) return frame
  return { ...frame, refused: frame.refused.map(({ key }) => ({ key })) }
}
