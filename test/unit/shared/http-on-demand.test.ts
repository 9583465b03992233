import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpOnDemand } from '@kedge/shared/http-on-demand'
import { expect, it, onTestFinished } from 'vitest'

function ask(socketPath: string, path: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk
      })
      response.once('end', () => resolve(text))
      response.once('error', reject)
    }).once('error', reject)
  })
}

it('answers over connections of its socket, and ends them when it stops', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-http-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const socket = join(dir, 'sock')
  const server = httpOnDemand((request, response) => {
    if (request.url === '/for-ever') response.write('begun')
    else response.end(`${request.method} ${request.url}`)
  })
  await new Promise<void>((resolve) => server.listener.listen(socket, resolve))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  expect(await ask(socket, '/first', agent)).toBe('GET /first')
  expect(await ask(socket, '/second', agent)).toBe('GET /second')
  const cut = ask(socket, '/for-ever', new Agent())
  const ended = expect(cut).rejects.toThrow()
  await Promise.all([ask(socket, '/a', new Agent()), ask(socket, '/b', new Agent())])
  await server.stop()
  await ended
})

it('stops when it never listened', async () => {
  await httpOnDemand(() => {}).stop()
})
