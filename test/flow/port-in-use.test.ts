import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { runProgram } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

/** A port that another program listens on. */
async function takenPort(): Promise<number> {
  const server = createServer()
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

const edge = ['--node-name=lonely', '--mqtt-port=0']
const cloud = ['--standalone', '--api-port=0', '--link-port=0', '--link-plain', '--metrics-address=127.0.0.1:0']

test.each([
  ['edgecore', edge, '--mqtt-port', ''],
  ['edgecore', edge, '--metrics-address', '127.0.0.1:'],
  ['cloudcore', cloud, '--api-port', ''],
  ['cloudcore', cloud, '--link-port', ''],
  ['cloudcore', cloud, '--metrics-address', '127.0.0.1:'],
] as const)('%s (%j): a port in use for %s ends it with how to choose another', async (name, flags, flag, prefix) => {
  const port = await takenPort()
  const { code, told } = await runProgram(name, [...flags, '--data', tempDir(), `${flag}=${prefix}${port}`])
  expect(told).toContain(String(port))
  expect(told).toContain(`choose another with ${flag}`)
  expect(told.trimEnd().split('\n')).toHaveLength(1)
  expect(code).toBe(2)
})
