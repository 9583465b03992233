import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StaticPods } from '@kedge/edgecore/node/static-pods'
import { WantedObjects } from '@kedge/edgecore/node/wanted-objects'
import { Objects } from '@kedge/edgecore/store/objects'
import { Store } from '@kedge/edgecore/store/store'
import { hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { pod as cloudPod } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let dir: string
let folder: string
let store: Store
let faults: string[]

const manifest = (name: string, image = 'nginx:1.27') => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { containers: [{ name: web, image: "${image}" }] }
`

async function start(): Promise<StaticPods> {
  const onFault = (file: string) => void faults.push(file)
  const common = { folder, nodeName: 'edge-1', store, log: silentLog, onFault }
  const pods = await StaticPods.start({ ...common, lookEvery: 60_000 })
  onTestFinished(() => pods.stop())
  return pods
}

const write = (file: string, text: string) => writeFileSync(join(folder, file), text)
const keys = (pods: StaticPods) => pods.list().map(({ key }) => key)
const imageOf = (pods: StaticPods, key: Key) => {
  const [container] = (pods.get(key)?.content.spec?.containers ?? []) as { image: string }[]
  return container?.image
}

beforeEach(() => {
  dir = tempDir()
  folder = join(dir, 'static')
  mkdirSync(folder)
  faults = []
  store = Store.open({ path: join(dir, 'edge.db'), clock: systemClock, log: silentLog })
  onTestFinished(() => store.close())
})

test('the pods of the folder are read, YAML and JSON, several in one file', async () => {
  write('a.yaml', `${manifest('a')}---${manifest('b')}---\n`)
  write(
    'c.json',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'c' },
      spec: { containers: [{ name: 'x', image: 'y' }] },
    }),
  )
  write('.hidden.yaml', 'nothing')
  write('notes.txt', 'nothing')
  const pods = await start()
  expect(keys(pods)).toEqual(['pods/default/a-edge-1', 'pods/default/b-edge-1', 'pods/default/c-edge-1'])
  expect(pods.condition()).toMatchObject({ type: 'StaticPodsRead', status: 'True' })
})

test('a file that is new, changed or gone is noticed by itself', async () => {
  const pods = await start()
  const told: Key[] = []
  pods.onChange((some) => told.push(...some))
  write('a.yaml', manifest('a'))
  await eventually(() => keys(pods).length === 1)
  expect(told).toEqual(['pods/default/a-edge-1'])
  write('a.yaml', manifest('a', 'nginx:1.28'))
  await eventually(() => imageOf(pods, 'pods/default/a-edge-1') === 'nginx:1.28')
  rmSync(join(folder, 'a.yaml'))
  await eventually(() => keys(pods).length === 0)
  expect(told).toHaveLength(3)
  // It is still this node's own until nothing of it is left.
  const name = { namespace: 'default', name: 'a-edge-1' }
  expect(pods.owns(name)).toBe(true)
  pods.forgotten(name)
  expect(pods.owns(name)).toBe(false)
})

test('a bad file is told and takes no pod down, its own included', async () => {
  write('good.yaml', manifest('good'))
  write('bad.yaml', manifest('bad'))
  const pods = await start()
  write('bad.yaml', 'kind: [')
  await eventually(() => pods.condition().status === 'False')
  expect(pods.condition().message).toContain('bad.yaml: ')
  expect(faults).toEqual(['bad.yaml'])
  expect(keys(pods)).toEqual(['pods/default/bad-edge-1', 'pods/default/good-edge-1'])
  await pods.stop()
  expect(keys(await start())).toEqual(['pods/default/bad-edge-1', 'pods/default/good-edge-1'])
})

test('a folder that goes away takes no pod down; what went with edgecore off is known after it', async () => {
  write('a.yaml', manifest('a'))
  write('b.yaml', manifest('b'))
  const first = await start()
  renameSync(folder, `${folder}-away`)
  first.look()
  await eventually(() => first.condition().reason === 'FolderUnreadable')
  expect(keys(first)).toHaveLength(2)
  await first.stop()
  renameSync(`${folder}-away`, folder)
  rmSync(join(folder, 'b.yaml'))
  const second = await start()
  expect(keys(second)).toEqual(['pods/default/a-edge-1'])
  expect(second.owns({ namespace: 'default', name: 'b-edge-1' })).toBe(true)
})

test('one pod in two files is that of the first, and told', async () => {
  write('1.yaml', manifest('a'))
  write('2.yaml', manifest('a', 'other'))
  const pods = await start()
  expect(imageOf(pods, 'pods/default/a-edge-1')).toBe('nginx:1.27')
  expect(pods.condition().message).toContain('2.yaml: pod default/a-edge-1 is in 1.yaml, too')
})

test('beside the pods of the cloud the own ones come first, and a mirror is none to run', async () => {
  write('a.yaml', manifest('a'))
  const objects = new Objects(store.db)
  const mirror = cloudPod('mirror', { annotations: { 'kubernetes.io/config.mirror': 'x' } })
  await store.commit(() => {
    for (const content of [cloudPod('web'), mirror, cloudPod('a-edge-1', { spec: { hostNetwork: true } })])
      put(objects, content)
  })
  const wanted = new WantedObjects(objects, await start())
  expect(wanted.list('pods').map(({ key }) => key)).toEqual(['pods/default/a-edge-1', 'pods/default/web'])
  expect(wanted.get('pods/default/a-edge-1')?.content.spec).not.toHaveProperty('hostNetwork')
  expect(wanted.get('pods/default/mirror')).toBeUndefined()
  expect(wanted.get('pods/default/web')).toBeDefined()
})

function put(objects: Objects, content: KubeObject): void {
  const key = keyOf('pods', 'default', content.metadata.name)
  const text = contentText('pods', content)
  objects.put(key, text, hashOf(key, text), null)
}
