import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { get } from '@kedge/edgecore/cli/get'
import { databasePath } from '@kedge/edgecore/settings'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { TwinTable } from '@kedge/edgecore/store/twins'
import { hashOf } from '@kedge/shared/changes'
import { type Clock, systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText, type KubeObject, keyOf, type Resource } from '@kedge/shared/objects'
import { age, table } from '@kedge/shared/table'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { tempDir } from '../../../support/temp-dir.ts'

const now = Date.UTC(2026, 0, 2, 12)
const clock: Clock = { now: () => now - 300_000, monotonic: () => 0 }

const held: [Resource, KubeObject][] = [
  [
    'pods',
    {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        initContainers: [{ name: 'first' }, { name: 'side', restartPolicy: 'Always' }],
        containers: [{ name: 'a' }, { name: 'b' }],
      },
    },
  ],
  ['pods', { metadata: { name: 'job', namespace: 'other' }, spec: { containers: [{ name: 'a' }] } }],
  ['configmaps', { metadata: { name: 'settings', namespace: 'default' }, data: { a: '1', b: '2' } }],
  ['secrets', { metadata: { name: 'key', namespace: 'default' }, type: 'Opaque', data: { password: 'aHVudGVyMg==' } }],
  [
    'devices',
    {
      metadata: { name: 'thermostat', namespace: 'default' },
      spec: { deviceModelRef: { name: 'thermostat-model' }, protocol: { protocolName: 'virtual' } },
    },
  ],
]

/** A node that holds a little of everything; its edgecore still runs, unless `closed`. */
async function node(closed = false): Promise<string> {
  const data = tempDir()
  const store = Store.open({ path: databasePath(data), clock: systemClock, log: silentLog })
  const outbox = new Outbox(store.db, clock)
  const twins = new TwinTable(store.db)
  await store.commit(() => {
    for (const [resource, object] of held) put(store, resource, object)
    const status = {
      phase: 'Running',
      startTime: '2026-01-02T11:00:00Z',
      initContainerStatuses: [
        { name: 'first', ready: true, restartCount: 5, state: { terminated: { reason: 'Completed' } } },
        { name: 'side', ready: true, restartCount: 1 },
      ],
      containerStatuses: [
        { name: 'a', ready: true, restartCount: 3 },
        { name: 'b', state: { waiting: { reason: 'ImagePullBackOff' } } },
      ],
    }
    const insert = store.db.prepare('INSERT INTO pods (pod, uid, status) VALUES (?, ?, ?)')
    insert.run('default/web', 'u', JSON.stringify(status))
    twins.putDevice({ device: 'default/thermostat', uid: 'u', state: 'online', lastOnline: now - 45_000 })
    const twin = { type: 'float', optional: true, deleted: false, cloudDesired: '21' }
    const desired = { value: '21', at: now - 600_000, version: 1 }
    const reported = { value: '20.5\n', at: now - 30_000, version: 7 }
    twins.putTwin('default/thermostat', 'temperature', { ...twin, desired, reported })
    twins.putTwin('default/thermostat', 'gone', { ...twin, deleted: true, desired, reported })
    outbox.add({ is: 'pod', namespace: 'default', name: 'web', uid: 'u', status: {} })
  })
  if (closed) store.close()
  else onTestFinished(() => store.close())
  return data
}

function put(store: Store, resource: Resource, object: KubeObject): void {
  const key = keyOf(resource, object.metadata.namespace ?? '', object.metadata.name)
  const text = contentText(resource, object)
  new Objects(store.db).put(key, text, hashOf(key, text), object.metadata.name === 'job' ? 'no such runtime' : null)
}

async function out(data: string, ...argv: string[]): Promise<string> {
  const { out, note } = await get([...argv, '--data', data], { env: {}, now })
  return out + note
}

describe('edgecore get', () => {
  const tables: [string[], string[]][] = [
    [
      ['pods'],
      ['NAME   READY   STATUS             RESTARTS   AGE', 'web    2/3     ImagePullBackOff   4          60m'],
    ],
    [
      ['pods', '-A'],
      [
        'NAMESPACE   NAME   READY   STATUS                     RESTARTS   AGE',
        'default     web    2/3     ImagePullBackOff           4          60m',
        'other       job    0/1     Refused: no such runtime   0          -',
      ],
    ],
    [
      ['pod', 'web'],
      ['NAME   READY   STATUS             RESTARTS   AGE', 'web    2/3     ImagePullBackOff   4          60m'],
    ],
    [
      ['pod', 'web', '-o', 'wide'],
      [
        'NAME   READY   STATUS             RESTARTS   AGE   IP   IMAGES',
        'web    2/3     ImagePullBackOff   4          60m   -',
      ],
    ],
    [['cm'], ['NAME       DATA', 'settings   2']],
    [['secrets'], ['NAME   TYPE     DATA', 'key    Opaque   1']],
    [
      ['devices'],
      [
        'NAME         MODEL              PROTOCOL   STATE    LAST ONLINE',
        'thermostat   thermostat-model   virtual    online   45s ago',
      ],
    ],
    [
      ['twins', 'thermostat'],
      [
        'DEVICE       PROPERTY      TYPE    DESIRED   REPORTED   CHANGED',
        'thermostat   temperature   float   21        20.5       30s',
      ],
    ],
    [
      ['outbox'],
      [
        'SEQ   LANE    SUBJECT            VERSION   AGE   REFUSED',
        '1     state   pods/default/web   1         5m',
        'state: 1 waiting, 1 KiB',
      ],
    ],
    [['pods', '-n', 'nowhere'], ['No pods held in namespace nowhere.']],
  ]
  test.each(tables)('%j prints a table while edgecore runs', async (argv, lines) => {
    expect(await out(await node(), ...argv)).toBe(`${lines.join('\n')}\n`)
  })

  test('reads as well after edgecore has stopped', async () => {
    expect(await out(await node(true), 'configmaps')).toContain('settings')
  })

  test('prints JSON and YAML, a list or the one that was named', async () => {
    const data = await node()
    const one = JSON.parse(await out(data, 'pods', 'web', '-o', 'json'))
    expect(one).toMatchObject({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      status: { phase: 'Running' },
    })
    const list = parse(await out(data, 'devices', '-o', 'yaml'))
    const value = { value: '21', metadata: { timestamp: String(now - 600_000), type: 'float' } }
    expect(list).toMatchObject({
      kind: 'List',
      items: [
        {
          kind: 'Device',
          status: { state: 'online', twins: [{ propertyName: 'temperature', observedDesired: value }] },
        },
      ],
    })
    expect(JSON.parse(await out(data, 'twins', '-o', 'json')).items).toHaveLength(1)
    expect(JSON.parse(await out(data, 'outbox', '-o', 'json')).items[0]).toMatchObject({
      seq: 1,
      report: { is: 'pod' },
    })
  })

  test('hides the values of Secrets unless asked for them', async () => {
    const data = await node()
    const shy = await out(data, 'secrets', '-o', 'yaml')
    expect(shy).toContain('password: (hidden, 7 bytes)')
    expect(shy).not.toContain('aHVudGVyMg==')
    expect(await out(data, 'secrets', 'key', '-o', 'json', '--show-secrets')).toContain('"password": "aHVudGVyMg=="')
  })

  const refused: [string[], string][] = [
    [[], 'what to get? Give one of pods'],
    [['pdos'], 'no such kind "pdos"; did you mean pods?'],
    [['constructor'], 'no such kind "constructor"'],
    [['pods', 'a', 'b'], 'found "b" after the name'],
    [['pods', '-o', 'xml'], '--output: found "xml"; give table, wide, json or yaml'],
    [['pods', '--wat'], "'--wat'"],
    [['pods', 'nope'], 'pods "nope" not found in namespace default on this node'],
  ]
  test.each(refused)('%j is refused', async (argv, message) => {
    await expect(out(await node(), ...argv)).rejects.toThrow(message)
  })

  test('says so where there is no database, and where it is none of ours', async () => {
    const data = tempDir()
    await expect(out(data, 'pods')).rejects.toThrow('does not exist: edgecore has never run with this data folder')
    writeFileSync(
      databasePath(data),
      'this is no database, only some text that is long enough to have a header'.repeat(20),
    )
    await expect(out(data, 'pods')).rejects.toThrow('is damaged')
    writeFileSync(join(data, 'edge.db'), '')
    await expect(out(data, 'pods')).rejects.toThrow('is of version 0')
  })
})

test('a table is as wide as its widest cell, one line a row', () => {
  expect(
    table(
      ['A', 'B'],
      [
        ['longer', 'x\r\ny'],
        ['', ''],
      ],
    ),
  ).toBe('A        B\nlonger   x y\n\n')
})

test.each([
  [-5, '0s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [7_200_000, '2h'],
  [200 * 3_600_000, '8d'],
])('an age of %d ms is %s', (ms, expected) => {
  expect(age(ms)).toBe(expected)
})
