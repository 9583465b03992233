import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gather } from '@kedge/shared/support/gather'
import { hidden, scrub, secretForms } from '@kedge/shared/support/scrub'
import { secretsInFiles } from '@kedge/shared/support/secret-files'
import { dataSummary, deviceSummary, podSummary, secretsOfObject } from '@kedge/shared/support/summaries'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'

test('what is known to be secret is found as it is, in JSON, in a URL and in base64', () => {
  const alphabet = fc.constantFrom(...'abcXYZ019"\\/+ &%é')
  const secret = fc.string({ unit: alphabet, minLength: 8, maxLength: 40 }).filter((text) => text.trim().length > 6)
  fc.assert(
    fc.property(secret, (text) => {
      const ways = [text, JSON.stringify({ text }), encodeURIComponent(text), Buffer.from(text).toString('base64')]
      const left = scrub(ways.map((way) => `said ${way} once`).join('\n'), secretForms([text]))
      for (const way of [text.trim(), JSON.stringify(text.trim()).slice(1, -1)]) expect(left).not.toContain(way)
      expect(left.split('\n')).toHaveLength(4)
    }),
  )
})

test.each([
  ['join with kedge1.abc.def-g.hij now', `join with ${hidden} now`],
  ['Authorization: Bearer abcdef123456', `Authorization: Bearer ${hidden}`],
  ['mqtt://me:open-sesame@host:1883', `mqtt://me:${hidden}@host:1883`],
  ['{"mqttPassword":"open-sesame","port":1}', `{"mqttPassword":"${hidden}","port":1}`],
  ['password=open-sesame rest', `password=${hidden} rest`],
  ['lamp:$7$101$abcd/ef==$ghij+k==', `lamp:${hidden}`],
  ['a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb', `a\n${hidden}\nb`],
  ['cut off: -----BEGIN PRIVATE KEY-----\nMHc', `cut off: ${hidden}`],
  ['the token is good for one board', 'the token is good for one board'],
  ['{"level":"info","node":"edge-1","msg":"link up"}', '{"level":"info","node":"edge-1","msg":"link up"}'],
])('what looks secret: %s', (text, left) => {
  expect(scrub(text, [])).toBe(left)
})

const pod = {
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: { name: 'web', namespace: 'default', annotations: { 'kubectl.kubernetes.io/last-applied': 'canary' } },
  spec: {
    nodeName: 'edge-1',
    containers: [
      {
        ...{ name: 'web', image: 'web:1', command: ['canary'], args: ['--password', 'canary'] },
        env: [
          { name: 'A', value: 'canary' },
          { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        ],
        livenessProbe: { httpGet: { httpHeaders: [{ name: 'Authorization', value: 'canary' }] } },
      },
    ],
    volumes: [{ name: 'data', csi: { volumeAttributes: { key: 'canary' } } }],
    unheardOf: 'canary',
  },
}
const device = {
  ...{ apiVersion: 'devices.kubeedge.io/v1beta1', kind: 'Device', metadata: { name: 'lamp', namespace: 'default' } },
  spec: {
    nodeName: 'edge-1',
    protocol: { protocolName: 'http', configData: { password: 'canary', port: 80, nested: [{ url: 'canary' }] } },
    properties: [{ name: 'power', desired: { value: 'canary' }, visitors: { configData: { topic: 'canary' } } }],
  },
  status: { state: 'online', twins: [{ propertyName: 'power', reported: { value: 'canary' } }] },
}
const secret = {
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'default' }, type: 'Opaque' },
  data: { k: Buffer.from('canary').toString('base64') },
}

test('summaries say much, and nothing that may be secret', () => {
  const status = {
    phase: 'Failed',
    containerStatuses: [{ name: 'web', state: { terminated: { exitCode: 1, message: 'canary' } } }],
  }
  const all = [podSummary(pod, status), deviceSummary(device), dataSummary(secret)]
  const text = JSON.stringify(all)
  expect(text).not.toContain('canary')
  expect(text).not.toContain(Buffer.from('canary').toString('base64'))
  for (const word of [
    'web:1',
    '"args":2',
    'secretKeyRef',
    '"port":80',
    'online',
    '"k":"8 characters"',
    '"exitCode":1',
  ]) {
    expect(text).toContain(word)
  }
})

test('what objects have that is secret is known, to be looked for elsewhere', () => {
  expect(secretsOfObject(pod)).toEqual(['canary'])
  expect(secretsOfObject(device)).toEqual(['canary'])
  expect(secretsOfObject(secret)).toContain('canary')
})

test('files of keys, passwords and kubeconfigs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const write = (name: string, content: string | Buffer) => {
    writeFileSync(join(dir, name), content)
    return join(dir, name)
  }
  const inside = Buffer.from('-----BEGIN PRIVATE KEY-----\ninner\n-----END PRIVATE KEY-----').toString('base64')
  const found = secretsInFiles([
    write(
      'kubeconfig',
      `apiVersion: v1\nkind: Config\nusers:\n- user:\n    token: bearer\n    client-key-data: ${inside}\n`,
    ),
    write('password', 'sesame\n'),
    write(
      'key.pem',
      '-----BEGIN CERTIFICATE-----\npublic\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nprivate\n-----END PRIVATE KEY-----\n',
    ),
    write('raw', Buffer.from([0, 1, 2, 250])),
    join(dir, 'none'),
    undefined,
  ])
  expect(found.map((text) => text.trim())).toEqual([
    'bearer',
    inside,
    'inner',
    'sesame',
    'private',
    '000102fa',
    'AAEC+g==',
  ])
})

test('what cannot be made is told, and the rest is there', async () => {
  const files = await gather(
    [
      { name: 'good.json', make: () => ({ password: 'x1y2z3' }) },
      { name: 'bad.txt', make: () => Promise.reject(new Error('no access to sesame-street')) },
      { name: 'none.txt', make: () => undefined },
    ],
    ['sesame-street'],
  )
  expect(files.map(({ name, content }) => [name, content.toString()])).toEqual([
    ['good.json', `{\n  "password": "${hidden}"\n}\n`],
    ['missing.txt', `bad.txt: no access to ${hidden}\n`],
  ])
})
