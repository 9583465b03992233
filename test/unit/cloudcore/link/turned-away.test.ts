import { TurnedAway } from '@kedge/cloudcore/link/turned-away'
import { openLog } from '@kedge/shared/log'
import { expect, test } from 'vitest'

function open() {
  const said: Record<string, unknown>[] = []
  const to = { write: (line: string) => void said.push(JSON.parse(line)) }
  return { said, turnedAway: new TurnedAway(openLog({ level: 'info', program: 'test', version: '0', to })) }
}

test('each thing is told once with its source, everything is counted, and who goes on is told ever more rarely', () => {
  const { said, turnedAway } = open()
  for (let round = 0; round < 1000; round++) {
    for (const source of ['192.0.2.1', '192.0.2.2']) turnedAway.tell('handshake', source, 'refused', { source })
  }
  expect(turnedAway.counts.get('handshake')).toBe(2000)
  for (const source of ['192.0.2.1', '192.0.2.2']) {
    const counts = said.filter((line) => line.source === source).map(({ count = 1 }) => count)
    expect(counts).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
  }
})

test('of a source that always says something else sixteen lines are told, then ever fewer', () => {
  const { said, turnedAway } = open()
  for (let round = 0; round < 500; round++)
    turnedAway.tell('client-id', '192.0.2.1', 'refused', { client: `c${round}` })
  expect(said).toHaveLength(16 + 4)
})

test('long texts are told in short', () => {
  const { said, turnedAway } = open()
  turnedAway.tell('publication', 'edge-1', 'refused', { topic: 'x'.repeat(65_535), qos: 1 })
  expect(said[0]).toMatchObject({ topic: `${'x'.repeat(256)}…`, qos: 1 })
})
