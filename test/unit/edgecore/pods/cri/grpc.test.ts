import { createServer, type ServerHttp2Stream } from 'node:http2'
import { join } from 'node:path'
import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js'
import { codes, GrpcChannel, type GrpcError } from '@kedge/edgecore/pods/cri/grpc'
import { int, message, string } from '@kedge/edgecore/pods/cri/protobuf'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../../support/eventually.ts'
import { tempDir } from '../../../../support/temp-dir.ts'

const Text = message({ text: string(1), times: int(2) })
const method = (name: string) => ({ path: `/test.Echo/${name}`, request: Text, response: Text })

/** A server of the gRPC project's own library. */
async function serve(path = join(tempDir(), 's.sock')): Promise<{ path: string; server: Server; cancelled: string[] }> {
  const server = new Server()
  const cancelled: string[] = []
  const shape = (name: string, responseStream: boolean) => ({
    ...{ path: `/test.Echo/${name}`, requestStream: false, responseStream },
    ...{ requestSerialize: Buffer.from, requestDeserialize: Text.decode },
    ...{ responseSerialize: Text.encode, responseDeserialize: Text.decode },
  })
  const service = {
    Say: shape('Say', false),
    Never: shape('Never', false),
    Fail: shape('Fail', false),
    Count: shape('Count', true),
  } as unknown as ServiceDefinition
  server.addService(service, {
    Say: (call: { request: { text: string; times: number } }, done: (error: null, answer: object) => void) =>
      done(null, { text: call.request.text.repeat(call.request.times), times: call.request.times }),
    Never: (call: { on: (event: string, run: () => void) => void }) =>
      call.on('cancelled', () => cancelled.push('Never')),
    Fail: (_: unknown, done: (error: object) => void) =>
      done({ code: status.NOT_FOUND, details: 'no pod "grün": 100 %' }),
    Count(
      call: { request: { times: number }; write: (message: object) => void; end: () => void } & NodeJS.EventEmitter,
    ) {
      call.on('cancelled', () => cancelled.push('Count'))
      for (let times = 1; times <= call.request.times; times += 1) call.write({ text: '', times })
      if (call.request.times < 10) call.end()
    },
  } as never)
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  onTestFinished(() => server.forceShutdown())
  return { path, server, cancelled }
}

function channelTo(path: string): GrpcChannel {
  const channel = new GrpcChannel(() => path)
  onTestFinished(() => channel.close())
  return channel
}

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: GrpcError) => error,
  )

test('calls, many at once, with short and long messages', async () => {
  const channel = channelTo((await serve()).path)
  const sizes = [0, 1, 1000, 70_000, 3_000_000]
  const answers = await Promise.all(sizes.map((times) => channel.call(method('Say'), { text: 'ä', times }, 20_000)))
  expect(answers.map(({ text }) => text.length)).toEqual(sizes)
})

test('an error has its code and its words', async () => {
  const channel = channelTo((await serve()).path)
  expect(await failure(channel.call(method('Fail'), {}, 20_000))).toMatchObject({
    ...{ code: codes.notFound, message: 'no pod "grün": 100 %' },
  })
  expect(await failure(channel.call(method('Nothing'), {}, 20_000))).toMatchObject({ code: codes.unimplemented })
})

test('a call that is not answered ends at its deadline, and the server hears of it', async () => {
  const { path, cancelled } = await serve()
  const error = await failure(channelTo(path).call(method('Never'), {}, 50))
  expect(error).toMatchObject({ code: codes.deadlineExceeded })
  await eventually(() => cancelled.includes('Never'))
})

test('a stream gives its messages, ends, and can be ended', async () => {
  const { path, cancelled } = await serve()
  const channel = channelTo(path)
  const seen: number[] = []
  const all = new Promise((resolve) => {
    const on = { message: ({ times }: { times: number }) => void seen.push(times), end: resolve }
    channel.stream(method('Count'), { times: 3 }, on)
  })
  expect(await all).toBeUndefined()
  expect(seen).toEqual([1, 2, 3])
  const end = channel.stream(
    method('Count'),
    { times: 10 },
    { message: ({ times }) => void seen.push(times), end() {} },
  )
  await eventually(() => seen.includes(10))
  end()
  await eventually(() => cancelled.includes('Count'))
})

test('while nothing listens each call says so, and works again once something does', async () => {
  const path = join(tempDir(), 's.sock')
  const channel = channelTo(path)
  const say = () => channel.call(method('Say'), { text: 'x', times: 1 }, 20_000)
  expect(await failure(say())).toMatchObject({ code: codes.unavailable, message: `connect ENOENT ${path}` })
  const { server } = await serve(path)
  expect(await say()).toMatchObject({ text: 'x' })
  const never = failure(channel.call(method('Never'), {}, 20_000))
  await say()
  server.forceShutdown()
  expect(await never).toMatchObject({ code: codes.unavailable })
  await serve(path)
  expect(await eventually(say)).toMatchObject({ text: 'x' })
})

test('takes no answer that is not one', async () => {
  const path = join(tempDir(), 's.sock')
  const answers: Record<string, (stream: ServerHttp2Stream) => void> = {
    '/test.Echo/Http': (stream) => stream.respond({ ':status': 503 }, { endStream: true }),
    '/test.Echo/Compressed': (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.from([1, 0, 0, 0, 1, 0]))
    },
    '/test.Echo/Huge': (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))
    },
    '/test.Echo/Garbage': (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.from([0, 0, 0, 0, 1, 0x0b]))
    },
    '/test.Echo/Half': (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.from([0, 0, 0, 0, 9, 0x0a]))
    },
  }
  const server = createServer()
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    answers[headers[':path'] ?? '']?.(stream)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => void server.close())
  const channel = channelTo(path)
  for (const [name, words] of [
    ['Http', /HTTP status 503/],
    ['Compressed', /compressed/],
    ['Huge', /4294967295 bytes/],
    ['Garbage', /wire type 3/],
    ['Half', /connection was lost/],
  ] as const) {
    expect(await failure(channel.call(method(name), {}, 20_000)), name).toMatchObject({
      message: expect.stringMatching(words),
    })
  }
})
