import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Ended, runProgram, startProgram } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

const edgecore = (...argv: string[]) => runProgram('edgecore', argv)

const alone = (data: string) => ['--node-name=lonely', '--mqtt-port=0', '--data', data]

test('reads a node that runs, one that was killed, and one that has stopped', async () => {
  const data = tempDir()
  const get = () => edgecore('get', 'outbox', '--data', data, '-o', 'json')
  const node = async ({ out }: Ended) =>
    JSON.parse(out).items.find(({ subject }: { subject: string }) => subject === 'node')

  const first = await startProgram('edgecore', alone(data))
  await first.line('edgecore started')
  const report = await eventually(async () => node(await get()))
  expect(report).toMatchObject({ lane: 'control', report: { is: 'node' } })

  await first.kill('SIGKILL')
  expect(await node(await get())).toMatchObject({ seq: report.seq })

  const second = await startProgram('edgecore', alone(data))
  await second.line('edgecore started')
  expect(await second.stop()).toEqual({ code: 0, signal: null })
  expect(await node(await get())).toMatchObject({ seq: report.seq })
})

test('tells a fault on standard error, and ends with 2', async () => {
  const data = tempDir()
  expect(await edgecore('get', 'pods', '--data', data)).toMatchObject({ code: 2, out: '' })
  const { code, out, told } = await edgecore('--mqtt-port=x', '--nope')
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(told).toContain(
    'edgecore: 2 settings are wrong:\n  --nope: no such flag; --help lists all\n  mqtt-port: found "x"',
  )
})

test('a second edgecore over the same data is refused', async () => {
  const data = tempDir()
  const first = await startProgram('edgecore', alone(data))
  await first.line('edgecore started')
  const { code, told } = await edgecore(...alone(data))
  expect(code).toBe(2)
  expect(told).toContain(`the data folder ${data} is in use by process ${first.pid}`)
})
