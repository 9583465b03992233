import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UploadSink, type UploadSinkOptions } from '@kedge/cloudcore/uploads/sink'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { UploadReport } from '@kedge/shared/reports'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { UploadReceiver } from '../../../support/upload-receiver.ts'

async function rig(options: Partial<UploadSinkOptions> = {}) {
  const receiver = await UploadReceiver.start()
  // The pauses between two tries are a hundredth of the longest.
  const sink = new UploadSink({
    url: receiver.url,
    clock: systemClock,
    log: silentLog,
    random: () => 0.01,
    ...options,
  })
  onTestFinished(() => sink.stop())
  return { receiver, sink }
}

function upload(text: string | Buffer, { id = 'upload-0001', topic = 'SYS/dis/upload_records' } = {}): UploadReport {
  return { is: 'upload', id, topic, payload: Buffer.from(text).toString('base64'), at: 1_700_000_000_123 }
}

test('an upload is posted as a CloudEvent, its bytes as they were', async () => {
  const { receiver, sink } = await rig()
  const bytes = Buffer.from([0, 255, 10, 13, 128])
  expect(await sink.accept('edge-1', upload(bytes, { topic: 'städte/user/"50 %"' }))).toEqual({ is: 'accepted' })
  expect(receiver.posted).toHaveLength(1)
  expect(receiver.posted[0]?.body.equals(bytes)).toBe(true)
  expect(receiver.posted[0]?.headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'ce-specversion': '1.0',
    'ce-id': 'upload-0001',
    'ce-source': '/nodes/edge-1',
    'ce-type': 'io.kedge.upload',
    'ce-subject': 'st%C3%A4dte/user/%2250%20%25%22',
    'ce-time': '2023-11-14T22:13:20.123Z',
  })
})

test.each([401, 403, 404, 408, 425, 429, 500, 503, 302])('%d is tried again', async (code) => {
  const { receiver, sink } = await rig()
  receiver.answer = () => (receiver.posted.length < 3 ? code : 200)
  expect(await sink.accept('edge-1', upload('x'))).toEqual({ is: 'accepted' })
  expect(receiver.posted.map(({ headers }) => headers['ce-id'])).toEqual(Array(3).fill('upload-0001'))
  expect(sink.counts).toEqual({ accepted: 1, refused: 0, delayed: 2 })
})

test.each([400, 413, 415, 422])('%d is final, and holds up nothing else', async (code) => {
  const { receiver, sink } = await rig()
  receiver.answer = ({ body }) => (body.toString() === 'bad' ? code : 204)
  const answers = await Promise.all([
    sink.accept('edge-1', upload('bad')),
    sink.accept('edge-1', upload('good', { id: 'upload-0002' })),
  ])
  expect(answers).toEqual([{ is: 'refused', reason: `${receiver.url} answers ${code}` }, { is: 'accepted' }])
  expect(receiver.posted).toHaveLength(2)
})

test('a token is shown as it stands in its file now; without one that is usable nothing is posted', async () => {
  const tokenFile = join(tempDir(), 'token')
  const { receiver, sink } = await rig({ tokenFile })
  const answer = sink.accept('edge-1', upload('x'))
  await eventually(() => sink.counts.delayed > 0)
  writeFileSync(tokenFile, 'one\ntwo\n')
  const before = sink.counts.delayed
  await eventually(() => sink.counts.delayed > before)
  expect(receiver.posted).toEqual([])
  for (const token of ['first', 'second']) {
    writeFileSync(tokenFile, `${token}\n`)
    await sink.accept('edge-1', upload(token, { id: `upload-${token}` }))
    expect(receiver.posted.at(-1)).toMatchObject({ headers: { authorization: `Bearer ${token}` } })
  }
  expect(await answer).toEqual({ is: 'accepted' })
})

test('two nodes may use the same id', async () => {
  const { receiver, sink } = await rig()
  await Promise.all([sink.accept('edge-1', upload('a')), sink.accept('edge-2', upload('b'))])
  expect(receiver.on('SYS/dis/upload_records').sort()).toEqual(['a', 'b'])
})

test('a receiver that does not answer is asked again', async () => {
  const { receiver, sink } = await rig({ patience: 50 })
  receiver.answer = () => (receiver.posted.length === 1 ? undefined : 204)
  expect(await sink.accept('edge-1', upload('x'))).toEqual({ is: 'accepted' })
  expect(sink.counts.delayed).toBeGreaterThan(0)
})

test('stopping ends the tries, and nothing is called accepted', async () => {
  const { receiver, sink } = await rig()
  receiver.answer = () => undefined
  const answer = sink.accept('edge-1', upload('x'))
  const rejected = expect(answer).rejects.toThrow('cloudcore is stopping')
  await eventually(() => receiver.posted.length > 0)
  await sink.stop()
  await rejected
})
