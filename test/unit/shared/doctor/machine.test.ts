import { judgeDatabase } from '@kedge/shared/doctor/database'
import {
  judgeClock,
  judgeDisk,
  judgeLimits,
  judgeMemory,
  judgeNode,
  judgePort,
  judgeSync,
  judgeUnit,
} from '@kedge/shared/doctor/judge-machine'
import { isInTheWay, listenersIn } from '@kedge/shared/doctor/listening'
import { expect, test } from 'vitest'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

test.each([
  ['20.19.0', undefined, 'ok'],
  ['20.18.3', undefined, 'fail'],
  ['18.20.0', undefined, 'fail'],
  ['22.1.0', undefined, 'ok'],
  ['23.1.0', undefined, 'warn'],
  ['24.0.0', 'invalid ELF header', 'fail'],
])('Node.js %s', (version, loads, standing) => {
  expect(judgeNode({ version, arch: 'arm64', loads }).standing).toBe(standing)
})

test.each([
  [400, 0, 'ok'],
  [150, 0, 'warn'],
  [60, 0, 'fail'],
  [60, 512, 'warn'],
])('%i MiB of memory and %i of swap', (available, swap, standing) => {
  const facts = { available: available * MiB, total: GiB, swapFree: swap * MiB }
  expect(judgeMemory(facts, 96 * MiB).standing).toBe(standing)
})

test.each([
  [8 * GiB, 900, ['ok']],
  [1 * GiB, 900, ['warn']],
  [30 * MiB, 900, ['fail']],
  [8 * GiB, 30, ['ok', 'warn']],
  [8 * GiB, 2, ['ok', 'fail']],
])('a disk of 32 GiB with %i bytes and %i of 1000 inodes free', (free, inodesFree, standings) => {
  const verdicts = judgeDisk({ folder: '/data', free, total: 32 * GiB, inodesFree, inodes: 1000 })
  expect(verdicts.map(({ standing }) => standing)).toEqual(standings)
})

test('a file system that counts no inodes has enough', () => {
  expect(judgeDisk({ folder: '/', free: GiB, total: 2 * GiB, inodesFree: 0, inodes: 0 })).toHaveLength(1)
})

test('how fast a disk is', () => {
  expect(judgeSync([1, 2, 900]).standing).toBe('ok')
  expect(judgeSync([300, 300, 900]).standing).toBe('warn')
  expect(judgeSync([3000]).standing).toBe('fail')
  expect(judgeSync('EROFS: read-only file system').standing).toBe('skip')
})

test.each([
  [Date.UTC(2026, 10, 1), true, 'ok'],
  [Date.UTC(2026, 10, 1), undefined, 'ok'],
  [Date.UTC(2026, 10, 1), false, 'warn'],
  [0, true, 'fail'],
  [Date.UTC(2099, 0, 1), true, 'fail'],
])('the clock at %i', (now, synchronised, standing) => {
  expect(judgeClock({ now, released: Date.UTC(2026, 0, 1), synchronised }).standing).toBe(standing)
})

test('who listens, as the kernel tells it', () => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0',
    '   1: 0100007F:D431 0100007F:075B 01 00000000:00000000 00:00000000 00000000     0        0 78 1 0 100 0 0 10 0',
    '',
  ].join('\n')
  const [one] = listenersIn(text)
  expect(listenersIn(text)).toEqual([{ address: '0100007F', port: 1883, inode: '77' }])
  if (one === undefined) throw new Error('nobody listens')
  expect(isInTheWay(one, '127.0.0.1')).toBe(true)
  expect(isInTheWay(one, 'localhost')).toBe(true)
  expect(isInTheWay(one, '0.0.0.0')).toBe(true)
  expect(isInTheWay(one, '192.168.1.7')).toBe(false)
  expect(isInTheWay({ ...one, address: '00000000' }, '192.168.1.7')).toBe(true)
})

test('ports', () => {
  const facts = { host: '127.0.0.1', port: 1883 }
  expect(judgePort({ ...facts, held: 'free', running: false }, '--mqtt-port').standing).toBe('ok')
  expect(judgePort({ ...facts, held: 'free', running: true }, '--mqtt-port').standing).toBe('warn')
  expect(judgePort({ ...facts, held: 'ours', running: true }, '--mqtt-port').standing).toBe('ok')
  expect(judgePort({ ...facts, held: { by: 'process 7 (mosquitto)' }, running: false }, '--mqtt-port')).toEqual({
    ...{ standing: 'fail', found: '127.0.0.1:1883 is taken by process 7 (mosquitto)' },
    todo: 'end that one, or choose another port with --mqtt-port',
  })
})

test.each([
  [{}, true, 'skip'],
  [{ LoadState: 'not-found' }, true, 'skip'],
  [{ LoadState: 'loaded', ActiveState: 'active', SubState: 'running', UnitFileState: 'enabled' }, true, 'ok'],
  [{ LoadState: 'loaded', ActiveState: 'active', SubState: 'running', UnitFileState: 'disabled' }, true, 'warn'],
  [{ LoadState: 'loaded', ActiveState: 'inactive', SubState: 'dead', UnitFileState: 'enabled' }, false, 'warn'],
  [{ LoadState: 'loaded', ActiveState: 'active', UnitFileState: 'enabled', NRestarts: '9' }, true, 'warn'],
  [{ LoadState: 'loaded', ActiveState: 'failed', UnitFileState: 'enabled', Result: 'exit-code' }, false, 'fail'],
])('a unit that is %j', (properties, running, standing) => {
  expect(judgeUnit({ properties, unit: 'edgecore', running }).standing).toBe(standing)
})

test('limits', () => {
  expect(judgeLimits({ files: 20_000, allFiles: 100_000, watches: 128 }, 1024).standing).toBe('ok')
  expect(judgeLimits({ files: 256, allFiles: 100_000, watches: 128 }, 1024).standing).toBe('fail')
  expect(judgeLimits({ files: 20_000, allFiles: 1024, watches: 128 }, 1024).standing).toBe('warn')
  expect(judgeLimits({ files: 20_000, allFiles: 100_000, watches: 8 }, 1024).standing).toBe('warn')
})

test.each([
  [undefined, 'ok'],
  [{ version: 4, check: 'ok' }, 'ok'],
  [{ version: 9, check: 'ok' }, 'warn'],
  [{ version: 4, check: 'row 7 missing from index i' }, 'fail'],
  [{ fault: 'file is not a database', code: 'SQLITE_NOTADB' }, 'fail'],
  [{ fault: 'unable to open', code: 'SQLITE_CANTOPEN' }, 'skip'],
  [{ fault: 'disk I/O error', code: 'SQLITE_IOERR' }, 'fail'],
])('a database that is %j', (found, standing) => {
  const facts = found && { path: '/data/edge.db', bytes: 1, ...found }
  expect(judgeDatabase(facts, { isReadable: (version) => version <= 4, damaged: 'mend it' }).standing).toBe(standing)
})
