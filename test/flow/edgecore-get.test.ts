import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { build, bundlePath } from '../../scripts/build.ts'
import { eventually } from '../support/eventually.ts'
import { startProgram } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

interface Ended {
  code: number
  out: string
  told: string
}

/** Runs `edgecore …` to its end. */
function edgecore(...argv: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { timeout: 20_000, killSignal: 'SIGKILL' as const }
    const child = execFile(process.execPath, [bundlePath('edgecore'), ...argv], options, (_, out, told) => {
      resolve({ code: child.exitCode ?? -1, out, told })
    })
  })
}

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
  await build(['edgecore'])
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

test('a port in use is told with the flag that moves it', async () => {
  const server = createServer()
  onTestFinished(() => void server.close())
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
  const { code, told } = await edgecore('--node-name=lonely', `--mqtt-port=${port}`, '--data', tempDir())
  expect(code).toBe(2)
  expect(told).toContain(`port ${port} on 127.0.0.1 is in use: choose another with --mqtt-port`)
})
