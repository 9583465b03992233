import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readLog } from '@kedge/edgecore/node/log-reader'
import { type LogRotation, startLogRotation } from '@kedge/edgecore/node/log-rotation'
import type { Container, Sandbox } from '@kedge/edgecore/pods/runtime'
import { silentLog } from '@kedge/shared/log'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { gather } from '../../../support/gather.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let folder: string
let file: string
let clock: HandClock
let rotation: LogRotation
let listed: number
let fails: boolean

const line = (text: string) => `2026-01-01T00:00:00Z stdout F ${text}\n`

const container: Container = {
  ...{
    id: 'c1',
    name: 'web',
    kind: 'main' as const,
    image: 'nginx',
    imageId: 'i',
    attempt: 0,
    backoffMs: 0,
    createdAt: 0,
  },
  state: { is: 'running', startedAt: 0 },
}
const pod = { namespace: 'default', name: 'a', uid: 'u' }
const sandbox: Sandbox = { id: 's', pod, attempt: 0, graceMs: 0, ready: true, createdAt: 0, containers: [container] }

beforeEach(() => {
  folder = tempDir()
  mkdirSync(join(folder, 'default_a_u', 'web'), { recursive: true })
  file = join(folder, 'default_a_u', 'web', '0.log')
  clock = new HandClock()
  listed = 0
  fails = false
  const runtime = {
    async list() {
      listed += 1
      return [sandbox]
    },
    logFile: () => file,
    async reopenLog(id: string) {
      if (fails) throw new Error(`no answer about ${id}`)
      writeFileSync(file, '')
    },
  }
  rotation = startLogRotation({
    folder,
    runtime,
    clock,
    log: silentLog,
    scheduler: clock,
    limits: { bytes: 100, files: 3 },
  })
  onTestFinished(() => rotation.stop())
})

const names = () => readdirSync(join(folder, 'default_a_u', 'web')).sort()

test('quiet logs are left alone, and the engine is not asked', async () => {
  writeFileSync(file, line('short'))
  await rotation.look()
  expect([names(), listed]).toEqual([['0.log'], 0])
})

test('a large log is moved away, packed the next time, and the oldest goes; nothing in between is lost', async () => {
  for (let round = 1; round <= 4; round += 1) {
    writeFileSync(file, line(`${round}`.repeat(120)))
    await rotation.look()
    clock.tick(1000)
  }
  const kept = names()
  expect(kept).toHaveLength(3)
  expect(kept.filter((name) => name.endsWith('.gz'))).toHaveLength(1)
  expect(statSync(file).size).toBe(0)
  const texts = (await gather(readLog({ file }))).map(({ text }) => text[0])
  expect(texts).toEqual(['3', '4'])
})

test('a log that the engine does not open anew stays where it is', async () => {
  fails = true
  writeFileSync(file, line('x'.repeat(200)))
  await rotation.look()
  expect(names()).toEqual(['0.log'])
})

test('what a kill left half packed goes', async () => {
  writeFileSync(`${file}.20250101-000000.gz.tmp`, 'half')
  writeFileSync(file, line('x'.repeat(200)))
  await rotation.look()
  expect(existsSync(`${file}.20250101-000000.gz.tmp`)).toBe(false)
})
