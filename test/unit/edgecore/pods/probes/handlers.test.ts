import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { ContainerSpec, type Probe } from '@kedge/edgecore/pods/container-schema'
import { attempt, runHook, type Target } from '@kedge/edgecore/pods/probes/handlers'
import { type ExecResult, ExecTimedOut } from '@kedge/edgecore/pods/runtime'
import { describe, expect, onTestFinished, test } from 'vitest'

async function listening(server: {
  listen: Server['listen']
  close: Server['close']
  address: Server['address']
}): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

function target(
  exec: Target['runtime']['exec'] = async () => Promise.reject(new Error('nobody asked')),
  port = 1,
): Target {
  const container = ContainerSpec.parse({ name: 'web', image: 'i', ports: [{ name: 'http', containerPort: port }] })
  return { id: 'c1', ip: '127.0.0.1', container, runtime: { exec } }
}

function probe(handler: Record<string, unknown>): Probe {
  const spec = ContainerSpec.parse({ name: 'web', image: 'i', livenessProbe: { timeoutSeconds: 5, ...handler } })
  return spec.livenessProbe as Probe
}

const ended = (exitCode: number, stdout = ''): ExecResult => ({
  ...{ exitCode, stdout: Buffer.from(stdout), stderr: Buffer.alloc(0) },
})

describe('a command', () => {
  const command = probe({ exec: { command: ['check', 'it'] } })

  test.each<[string, Target['runtime']['exec'], unknown]>([
    ['that ends well', async () => ended(0), { is: 'success' }],
    ['that fails', async () => ended(3, 'disk full'), { is: 'failure', message: 'disk full' }],
    ['that fails in silence', async () => ended(3), { is: 'failure', message: 'the command ended with exit code 3' }],
    [
      'that takes too long',
      async () => Promise.reject(new ExecTimedOut('late')),
      { is: 'failure', message: 'command "check it" timed out after 5s' },
    ],
    [
      'that could not be tried',
      async () => Promise.reject(new Error('engine away')),
      { is: 'error', message: 'engine away' },
    ],
  ])('%s', async (_name, exec, expected) => {
    expect(await attempt(command, target(exec))).toEqual(expected)
  })
})

describe('an HTTP request', () => {
  async function server(): Promise<number> {
    return listening(
      createServer((request, response) => {
        const { url = '', headers } = request
        const [, status = '200'] = /^\/(\d+)/.exec(url) ?? []
        if (url === '/away') response.setHeader('location', 'http://elsewhere.invalid/')
        if (url === '/near') response.setHeader('location', '/204')
        if (url === '/silent') return
        response.statusCode = url === '/away' || url === '/near' ? 302 : Number(status)
        if (url === '/named')
          response.statusCode = headers.host === 'shop.example' && headers['x-a'] === 'b' ? 200 : 500
        response.end('x'.repeat(100_000))
      }),
    )
  }

  test.each<[string, Record<string, unknown>, unknown]>([
    ['200', {}, { is: 'success' }],
    ['399', {}, { is: 'success' }],
    ['404', {}, { is: 'failure', message: 'HTTP probe failed with statuscode: 404' }],
    ['500', {}, { is: 'failure', message: 'HTTP probe failed with statuscode: 500' }],
    ['near', {}, { is: 'success' }],
    ['away', {}, { is: 'success' }],
    [
      'named',
      {
        httpHeaders: [
          { name: 'Host', value: 'shop.example' },
          { name: 'X-A', value: 'b' },
        ],
      },
      { is: 'success' },
    ],
  ])('answered by %s', async (path, more, expected) => {
    const port = await server()
    expect(
      await attempt(probe({ httpGet: { path: `/${path}`, port: 'http', ...more } }), target(undefined, port)),
    ).toEqual(expected)
  })

  test('not answered in time, not answered at all, and a port that is not there', async () => {
    const port = await server()
    const silent = await attempt(probe({ timeoutSeconds: 1, httpGet: { path: '/silent', port } }), target())
    expect(silent).toMatchObject({ is: 'failure', message: expect.stringContaining('did not answer in time') })
    const refused = await attempt(probe({ httpGet: { path: '/', port: 1 } }), target())
    expect(refused).toMatchObject({ is: 'failure', message: expect.stringContaining('ECONNREFUSED') })
    const nameless = await attempt(probe({ httpGet: { port: 'none' } }), target())
    expect(nameless).toEqual({ is: 'failure', message: 'the container has no port none' })
  })
})

test('a TCP connection', async () => {
  const port = await listening(createServer())
  expect(await attempt(probe({ tcpSocket: { port } }), target())).toEqual({ is: 'success' })
  const refused = await attempt(probe({ tcpSocket: { port: 1 } }), target())
  expect(refused).toMatchObject({ is: 'failure', message: expect.stringContaining('dial tcp 127.0.0.1:1') })
})

describe('a gRPC server', () => {
  async function health(answer: { status?: number; code?: number }): Promise<{ port: number; asked: Buffer[] }> {
    const asked: Buffer[] = []
    const server = createHttp2()
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        asked.push(Buffer.concat(chunks))
        expect(headers[':path']).toBe('/grpc.health.v1.Health/Check')
        const { status = 0, code = 0 } = answer
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(code) }))
        const message = status === 0 ? [] : [0x08, status]
        stream.end(code === 0 ? Buffer.from([0, 0, 0, 0, message.length, ...message]) : undefined)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { port: (server.address() as AddressInfo).port, asked }
  }

  test.each([
    ['serves', { status: 1 }, { is: 'success' }],
    ['does not', { status: 2 }, { is: 'failure', message: 'service unhealthy (responded with "NOT_SERVING")' }],
    ['does not know', {}, { is: 'failure', message: 'service unhealthy (responded with "UNKNOWN")' }],
    [
      'has no health service',
      { code: 12 },
      { is: 'failure', message: 'the server does not implement the gRPC health protocol' },
    ],
  ])('that %s', async (_name, answer, expected) => {
    const { port, asked } = await health(answer)
    expect(await attempt(probe({ grpc: { port, service: 'shop' } }), target())).toEqual(expected)
    expect(asked[0]).toEqual(Buffer.from([0, 0, 0, 0, 6, 0x0a, 4, ...Buffer.from('shop')]))
  })

  test('that is not there', async () => {
    expect(await attempt(probe({ grpc: { port: 1 } }), target())).toMatchObject({ is: 'failure' })
  })
})

describe('a hook', () => {
  const time = { timeoutMs: 5000, signal: new AbortController().signal }
  const hook = (lifecycle: Record<string, unknown>) => {
    const { postStart } = ContainerSpec.parse({
      name: 'web',
      image: 'i',
      lifecycle: { postStart: lifecycle },
    }).lifecycle
    if (postStart === undefined) throw new Error('no hook')
    return postStart
  }

  test('tells what its command said when it failed', async () => {
    const run = runHook(
      hook({ exec: { command: ['sh', '-c', 'x'] } }),
      target(async () => ended(2, 'oh no')),
      time,
    )
    await expect(run).rejects.toThrow('ended with exit code 2: oh no')
  })

  test('takes any answer to its request', async () => {
    const server = createServer((_request, response) => response.writeHead(500).end())
    const port = await listening(server)
    const asked = once(server, 'request')
    await runHook(hook({ httpGet: { path: '/bye', port } }), target(), time)
    expect((await asked)[0].url).toBe('/bye')
  })

  test('sleeps no longer than it may', async () => {
    await runHook(hook({ sleep: { seconds: 3600 } }), target(), { ...time, timeoutMs: 10 })
  })

  test('sleeps until it is woken', async () => {
    const abort = new AbortController()
    const run = runHook(hook({ sleep: { seconds: 3600 } }), target(), { timeoutMs: 3600_000, signal: abort.signal })
    abort.abort()
    await expect(run).rejects.toThrow()
  })
})
