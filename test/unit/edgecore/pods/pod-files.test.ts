import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Setup } from '@kedge/edgecore/pods/container-setup'
import { lastWordsOf } from '@kedge/edgecore/pods/last-words'
import { Mounts } from '@kedge/edgecore/pods/mounts'
import { mountsFor } from '@kedge/edgecore/pods/pod-files'
import { readPod } from '@kedge/edgecore/pods/spec'
import type { VolumeContent } from '@kedge/edgecore/pods/volumes'
import { beforeEach, describe, expect, test } from 'vitest'
import { pod } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let mounts: Mounts
const files: VolumeContent = {
  ...{ is: 'files', files: new Map([['a', { data: Buffer.from('x'), mode: 0o644 }]]), secret: false },
}
const contents = new Map<string, VolumeContent>([
  ['conf', files],
  ['dev', { is: 'host', path: '/dev', type: '' }],
])

beforeEach(async () => {
  mounts = new Mounts(tempDir())
  await mounts.write('uid-web', { contents })
})

type Wish = Partial<Setup['mounts'][number]>

async function made(wishes: Wish[], container: Record<string, unknown> = {}, attempt = 0) {
  const { spec } = readPod(pod('web', { spec: { containers: [{ name: 'web', image: 'i', ...container }] } }), null)
  const [web] = spec?.containers ?? []
  if (spec === undefined || web === undefined) throw new Error('the pod has no spec')
  const whole = { name: 'conf', mountPath: '/m', readOnly: false, mountPropagation: 'None' as const, subPath: '' }
  const all = wishes.map((wish) => ({ ...whole, ...wish }))
  return mountsFor(mounts, { spec, container: web, attempt, volumes: { contents }, wishes: all, ips: ['10.0.0.5'] })
}

describe('what a container finds in its file system', () => {
  test('volumes: files can only be read, paths of the node be written unless the pod says otherwise', async () => {
    const [conf, dev, readOnly, shared] = await made([
      {},
      { name: 'dev', mountPath: 'dev' },
      { name: 'dev', mountPath: '/r', readOnly: true },
      { name: 'dev', mountPath: '/s', mountPropagation: 'HostToContainer' },
    ])
    const hostPath = join(mounts.folder('uid-web'), 'volumes', 'conf')
    expect(conf).toEqual({ hostPath, containerPath: '/m', readOnly: true })
    expect(dev).toEqual({ hostPath: '/dev', containerPath: '/dev' })
    expect(readOnly).toEqual({ hostPath: '/dev', containerPath: '/r', readOnly: true })
    expect(shared).toEqual({ hostPath: '/dev', containerPath: '/s', propagation: 'HostToContainer' })
  })

  test('one file of a volume', async () => {
    const [file] = await made([{ subPath: 'a' }])
    expect(readFileSync(file?.hostPath ?? '', 'utf8')).toBe('x')
  })

  test('a file that the volume does not have, and a volume that the pod does not have', async () => {
    const fault = { reason: 'CreateContainerConfigError' }
    await expect(made([{ subPath: 'none' }])).rejects.toMatchObject(fault)
    await expect(made([{ name: 'none' }])).rejects.toMatchObject(fault)
  })

  test('its names, and a place for its last words that everyone may write to', async () => {
    const [hosts, last] = await made([])
    expect(hosts).toMatchObject({ containerPath: '/etc/hosts' })
    expect(readFileSync(hosts?.hostPath ?? '', 'utf8')).toContain('10.0.0.5\tweb\n')
    expect(last).toMatchObject({ containerPath: '/dev/termination-log' })
    expect(statSync(last?.hostPath ?? '').mode & 0o777).toBe(0o666)
  })

  test('what it mounts in their place is its own', async () => {
    const found = await made(
      [
        { mountPath: '/etc/hosts', subPath: 'a' },
        { mountPath: '/last', subPath: 'a' },
      ],
      {
        terminationMessagePath: '/last',
      },
    )
    expect(found.map(({ containerPath }) => containerPath)).toEqual(['/etc/hosts', '/last'])
  })

  test('of last words the newest are kept', async () => {
    const paths: string[] = []
    for (let attempt = 0; attempt < 5; attempt += 1) paths.push((await made([], {}, attempt)).at(-1)?.hostPath ?? '')
    expect(paths.map((path) => existsSync(path))).toEqual([false, false, true, true, true])
  })

  test('of last words the end is told, however many there are', async () => {
    const { spec } = readPod(pod('web'), null)
    const path = (await made([])).at(-1)?.hostPath ?? ''
    truncateSync(path, 2 ** 32)
    writeFileSync(path, `the end`, { flag: 'a' })
    const state = { is: 'exited', startedAt: 0, finishedAt: 0, exitCode: 1, reason: 'Error' } as const
    const record = { kind: 'main', image: 'i', imageId: 'i', attempt: 0, backoffMs: 0 } as const
    const containers = [{ id: 'c', name: 'web', ...record, createdAt: 0, state }]
    const place = { id: 's', attempt: 0, graceMs: 0, ready: true, createdAt: 0 }
    const sandbox = { ...place, pod: { namespace: 'default', name: 'web', uid: 'uid-web' }, containers }
    if (spec === undefined) throw new Error('the pod has no spec')
    const words = await lastWordsOf({ mounts, runtime: { logFile: () => undefined } as never }, spec, [sandbox])
    expect(words.get('c')?.length).toBe(4096)
    expect(words.get('c')).toMatch(/the end$/)
  })
})
