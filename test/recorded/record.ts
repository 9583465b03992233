import { writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import type { Key } from '@kedge/shared/objects'
import { CloudEnd, EdgeEnd, settle } from './ends.ts'
import type { Line } from './lines.ts'
import { scenario } from './scenario.ts'

/**
 * Records the conversation of the scenario between the two ends of today: `npx tsx test/recorded/record.ts FILE`.
 * A recording is made once, when a version of the protocol is finished, and never again.
 */
const lines: Line[] = []
const queue: { toEdge: boolean; bytes: Buffer }[] = []

function sent(toEdge: boolean, bytes: Buffer): void {
  lines.push(toEdge ? { toEdge: bytes.toString('base64') } : { toCloud: bytes.toString('base64') })
  queue.push({ toEdge, bytes })
}

const cloud = new CloudEnd((bytes) => sent(true, bytes))
const edge = new EdgeEnd((bytes) => sent(false, bytes))

for (const line of scenario()) {
  lines.push(line)
  act(line)
  await carry()
}
writeFileSync(argv[2] ?? 'recorded.jsonl', lines.map((line) => `${JSON.stringify(line)}\n`).join(''))

function act(line: Line): void {
  if ('cloud' in line) cloud.restart(line.cloud)
  else if ('edge' in line) edge.restart(line.edge)
  else if ('set' in line) cloud.set(line.set as Key, line.object)
  else if ('drop' in line) cloud.set(line.drop as Key, undefined)
  else if ('garbled' in line) cloud.receive(Buffer.of(9))
  else if ('tick' in line) tick(line.tick)
  else if ('link' in line) link(line.link === 'up')
}

function tick(now: number): void {
  cloud.now = now
  edge.now = now
  cloud.tell({ is: 'tick' })
  edge.tick()
}

function link(up: boolean): void {
  queue.length = 0
  cloud.link(up)
  edge.link(up)
}

async function carry(): Promise<void> {
  await settle()
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (next.toEdge) edge.receive(next.bytes)
    else cloud.receive(next.bytes)
    await settle()
  }
}
