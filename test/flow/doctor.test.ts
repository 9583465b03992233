import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '@kedge/shared/doctor/check'
import { expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { runProgram, startProgram } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

/** The programs as they are shipped, over TLS: a cloudcore, and a board that has joined it. */
async function startPair() {
  const dir = tempDir()
  const cloudData = join(dir, 'cloud')
  const data = join(dir, 'edge')
  const cloudcore = await startProgram('cloudcore', [
    ...['--standalone', '--api-port', '0', '--link-port', '0', '--metrics-address', '127.0.0.1:0', '--data', cloudData],
  ])
  await cloudcore.line('cloudcore started')
  const made = await runProgram('cloudcore', ['token', 'create', '--node', 'edge-1', '--data', cloudData])
  const command = made.out.trim().split(' ')
  const joined = await runProgram('edgecore', [...command.slice(1), '--data', data])
  expect(joined.told).toBe('')
  const passwords = join(dir, 'passwords')
  writeFileSync(passwords, 'lamp:canary-mqtt-password\n')
  return { dir, cloudData, data, cloudcore, token: command[command.indexOf('--token') + 1] ?? '', passwords }
}

async function findings(program: 'edgecore' | 'cloudcore', argv: string[]) {
  const { out, code, told } = await runProgram(program, ['doctor', '-o', 'json', ...argv])
  expect(told).toBe('')
  const all = (JSON.parse(out) as { findings: Finding[] }).findings
  const of = (check: string) => all.find((one) => one.check === check)
  return { code, of, failed: all.filter(({ standing }) => standing === 'fail').map((one) => one.check) }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('doctors say what is wrong, with a system that runs and without; archives for support have no secrets', async () => {
  const { dir, cloudData, data, cloudcore, token, passwords } = await startPair()
  const api = new Api(join(cloudData, 'kubeconfig'))
  const edgeFlags = ['--data', data, '--mqtt-port', '0', '--webhook-address', 'off']
  const edgecore = await startProgram('edgecore', edgeFlags, { env: { OTHER_SECRET: 'canary-variable' } })
  await edgecore.line('edgecore started')

  // What runs is asked, by its own settings, and is not disturbed.
  const whole = await eventually(
    async () => {
      const found = await findings('edgecore', ['--data', data])
      return found.of('link')?.found.startsWith('up, and in sync') && found
    },
    { within: 30_000 },
  )
  expect(whole.failed).toEqual([])
  expect(whole.of('edgecore')?.found).toContain(`runs as process ${edgecore.pid}`)
  expect(whole.of('containers')?.found).toContain('simulated')
  for (const name of ['database', 'certificate', 'settings', 'node']) expect(whole.of(name)?.standing).toBe('ok')
  const cloud = await findings('cloudcore', ['--data', cloudData])
  expect(cloud.failed).toEqual([])
  expect(cloud.of('kubernetes')?.found).toBe('Kubernetes answers, 1 edge node')
  expect(cloud.of('nodes')?.standing).toBe('ok')
  expect(edgecore.lines.filter(({ msg }) => msg === 'link down')).toEqual([])

  // Secrets everywhere.
  await api.create(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys', namespace: 'default' },
      data: { k: base64('canary-secret-value') },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'words', namespace: 'default' },
      data: { k: 'canary-config-value' },
    },
    {
      ...{
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', namespace: 'default', annotations: { note: 'canary-annotation' } },
      },
      spec: {
        nodeName: 'edge-1',
        containers: [
          {
            ...{ name: 'web', image: 'web:1', command: ['sh', '-c', 'login --with canary-argument'] },
            env: [{ name: 'A', value: 'canary-environment' }],
            envFrom: [{ secretRef: { name: 'keys' } }, { configMapRef: { name: 'words' } }],
          },
        ],
      },
    },
    {
      ...{
        apiVersion: 'devices.kubeedge.io/v1beta1',
        kind: 'DeviceModel',
        metadata: { name: 'lock', namespace: 'default' },
      },
      spec: { protocol: 'mqtt', properties: [{ name: 'code', type: 'STRING', accessMode: 'ReadWrite' }] },
    },
    {
      ...{
        apiVersion: 'devices.kubeedge.io/v1beta1',
        kind: 'Device',
        metadata: { name: 'door', namespace: 'default' },
      },
      spec: {
        ...{ nodeName: 'edge-1', deviceModelRef: { name: 'lock' } },
        protocol: { protocolName: 'mqtt', configData: { password: 'canary-device-password' } },
        properties: [{ name: 'code', desired: { value: 'canary-twin-value' } }],
      },
    },
  )
  await eventually(async () => (await runProgram('edgecore', ['get', 'twins', '--data', data])).out.includes('door'))
  await eventually(async () => (await runProgram('edgecore', ['get', 'secrets', '--data', data])).out.includes('keys'))

  // Somebody has logged what nobody may log.
  const identity = readFileSync(join(data, 'identity.pem'), 'utf8')
  const keyLine = /PRIVATE KEY-----\n(.{20})/.exec(identity)?.[1] ?? ''
  const enrolment = (JSON.parse(identity.split('\n')[0] ?? '') as { secret: string }).secret
  const adminToken = /token: "?([^\s"]+)/.exec(readFileSync(join(cloudData, 'kubeconfig'), 'utf8'))?.[1] ?? ''
  const canaries = [
    token,
    keyLine,
    enrolment,
    adminToken,
    ...['value', 'config', 'argument'].map((one) => `canary-${one}`),
  ]
  expect(canaries.every((one) => one.length > 8)).toBe(true)
  const everywhere = ['canary-secret-value', 'canary-environment', 'canary-device-password', token]
  const logOf = (program: string, lines: readonly object[], secrets: readonly string[], whole: string) => {
    const told = [...lines, ...secrets.map((text) => ({ msg: 'oh', reason: `sent ${text} to x` }))]
    writeFileSync(join(dir, `${program}.log`), `${told.map((line) => JSON.stringify(line)).join('\n')}\n${whole}`)
  }
  logOf('edgecore', edgecore.lines, [...everywhere, 'canary-mqtt-password', enrolment], identity)
  logOf('cloudcore', cloudcore.lines, everywhere, readFileSync(join(cloudData, 'kubeconfig'), 'utf8'))

  const packed = (program: 'edgecore' | 'cloudcore', flags: string[]) => {
    const to = join(dir, `${program}.tar.gz`)
    return runProgram(program, ['support', '--to', to, '--log', join(dir, `${program}.log`), ...flags]).then(
      ({ code, told }) => {
        expect({ code, told }).toEqual({ code: 0, told: '' })
        expect(statSync(to).mode & 0o777).toBe(0o600)
        return execFileSync('tar', ['-xzOf', to]).toString()
      },
    )
  }
  for (const text of [
    await packed('edgecore', ['--data', data, '--mqtt-passwords', passwords]),
    await packed('cloudcore', ['--data', cloudData]),
  ]) {
    for (const canary of [
      ...canaries,
      'canary-secret',
      'canary-env',
      'canary-device',
      'canary-twin',
      'canary-annotation',
      'canary-variable',
    ]) {
      expect(text, canary).not.toContain(canary)
      expect(text, `${canary} in base64`).not.toContain(base64(canary).replace(/=+$/, '').slice(0, -1))
    }
    for (const word of ['"web:1"', '"door"', ' started"', '"protocolName": "mqtt"', 'log-level: info']) {
      expect(text).toContain(word)
    }
  }

  // The cloud goes, then edgecore; what is on disk is spoilt.
  await cloudcore.stop()
  const alone = await eventually(async () => {
    const found = await findings('edgecore', ['--data', data])
    return found.failed.length > 0 && found
  })
  expect([alone.code, alone.failed]).toEqual([1, ['link']])
  expect(alone.of('link')?.todo).toContain('see whether cloudcore runs')
  await edgecore.stop()
  chmodSync(join(data, 'identity.pem'), 0o644)
  writeFileSync(join(data, 'edge.db'), 'this is no database, whatever its name says'.repeat(100))
  const ill = await findings('edgecore', ['--data', data, '--runtime', 'simulated'])
  expect(ill.failed.sort()).toEqual(['certificate', 'database', 'link'])
  expect(ill.of('database')?.todo).toContain('start edgecore')
  expect(ill.of('certificate')).toMatchObject({ found: expect.stringContaining('ends at') })
  const wrong = await findings('edgecore', ['--data', data, '--runtime', 'simulated', '--cloud', 'mqtt://without-tls'])
  expect(wrong.of('settings')?.standing).toBe('fail')
}, 120_000)
