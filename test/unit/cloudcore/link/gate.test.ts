import { Gate, type GateOptions } from '@kedge/cloudcore/link/gate'
import { Traffic } from '@kedge/cloudcore/link/traffic'
import { systemClock } from '@kedge/shared/clock'
import { encodeFrame, type UpFrame } from '@kedge/shared/frames'
import { openLog } from '@kedge/shared/log'
import { expect, onTestFinished, test } from 'vitest'
import { applied, have } from '../../../contract/link/cloud.ts'
import { eventually } from '../../../support/eventually.ts'

function open(onFrame: (node: string, frame: UpFrame) => void = () => {}, options: Partial<GateOptions> = {}) {
  const heard: string[] = []
  const asked: string[] = []
  const lines: { msg: string }[] = []
  const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const traffic = new Traffic()
  const gate = new Gate({
    events: {
      onUp: (node) => heard.push(`${node} up`),
      onDown: (node) => heard.push(`${node} down`),
      onFrame: (node, frame) => {
        heard.push(`${node} ${frame.is}`)
        onFrame(node, frame)
      },
      onMalformed: (node) => heard.push(`${node} malformed`),
    },
    ...{ traffic, askAll: (node) => asked.push(node), backlog: () => 0, clock: systemClock },
    log: openLog({ level: 'info', program: 'test', version: '0', to }),
    ...options,
  })
  onTestFinished(() => gate.stop())
  const said = (msg: string) => lines.filter((line) => line.msg === msg).length
  return { gate, heard, asked, traffic, said }
}

const frame = (revision: number) => encodeFrame(applied(revision))

test('what a node does is told in its order, its end after what came before', async () => {
  const { gate, heard } = open()
  gate.present('a', true)
  gate.take('a', frame(1))
  gate.present('a', false)
  gate.present('a', true)
  gate.take('a', frame(2))
  await eventually(() => heard.length === 5)
  expect(heard).toEqual(['a up', 'a applied', 'a down', 'a up', 'a applied'])
})

test('a node that sends without end is served by turns with the others', async () => {
  const { gate, heard } = open()
  let handled = 0
  for (let index = 0; index < 500; index++) gate.take('loud', frame(index), () => handled++)
  gate.take('quiet', frame(1))
  await eventually(() => handled === 500)
  expect(heard.slice(0, 4)).toEqual(['loud up', 'loud applied', 'quiet up', 'quiet applied'])
})

test('a node that sends faster than it can be served is cut short, told once, and asked to begin anew', async () => {
  const { gate, heard, asked, traffic, said } = open()
  const large = Buffer.alloc(7 * 1024 * 1024, 0x20)
  gate.present('a', true)
  for (let index = 0; index < 5; index++) gate.take('a', large)
  expect(traffic.dropped).toBe(3)
  expect(asked).toEqual([])
  gate.present('b', true)
  gate.take('b', frame(1))
  await eventually(() => asked.length === 1)
  expect(asked).toEqual(['a'])
  expect(said('node sends too fast: frames dropped')).toBe(1)
  expect(heard).toContain('b applied')
})

test('a frame that goes on where a presence ended leads to a new beginning', async () => {
  const { gate, asked, heard } = open()
  gate.take('a', frame(1))
  gate.take('b', encodeFrame(have('b.1')))
  await eventually(() => heard.includes('b have'))
  expect(asked).toEqual(['a'])
})

test('what one node sends ends at the gate when it cannot be handled', async () => {
  const { gate, heard, said } = open((node) => {
    if (node === 'a') throw new Error('no')
  })
  for (const node of ['a', 'a', 'b']) gate.take(node, frame(1))
  await eventually(() => heard.filter((each) => each.endsWith('applied')).length === 3)
  expect(said('frame not handled')).toBe(2)
})

test('many malformed frames lead to few comparisons and few lines, and all are counted', async () => {
  const { gate, heard, traffic, said } = open()
  for (let index = 0; index < 1000; index++) gate.take('a', Buffer.from('noise'))
  await eventually(() => traffic.malformed === 1000)
  expect(heard).toEqual(['a up', 'a malformed'])
  expect(said('malformed frame')).toBe(21)
  // Those after the first are not forgotten.
  await eventually(() => heard.length === 3)
  expect(heard[2]).toBe('a malformed')
})

test('nobody begins a conversation after it has gone', async () => {
  const state = { backlog: 1e9 }
  const { gate, heard } = open(() => {}, { backlog: () => state.backlog })
  gate.take('a', encodeFrame(have('a.1')))
  gate.take('b', encodeFrame(have('b.1')))
  await eventually(() => gate.waiting === 2)
  gate.present('a', false)
  await eventually(() => heard.includes('a down'))
  state.backlog = 0
  await eventually(() => heard.includes('b have'))
  expect(heard).not.toContain('a have')
})
