import { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions, Watch } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Kube, makeNamespace, openKube, uniqueName } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
let config: KubeConfig
let core: CoreV1Api

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  config = new KubeConfig()
  config.loadFromFile(kube.kubeconfig)
  core = config.makeApiClient(CoreV1Api)
})

afterAll(async () => {
  await namespace?.remove()
  await kube?.close()
})

describe('@kubernetes/client-node', () => {
  it('creates, reads, replaces, patches, lists and deletes', async () => {
    const [name, where] = [uniqueName('map'), namespace.name]
    const created = await core.createNamespacedConfigMap({
      namespace: where,
      body: { metadata: { name }, data: { a: '1' } },
    })
    expect(created.metadata?.creationTimestamp).toBeInstanceOf(Date)
    const replaced = await core.replaceNamespacedConfigMap({
      namespace: where,
      name,
      body: { ...created, data: { a: '2' } },
    })
    expect(replaced.data).toEqual({ a: '2' })
    const stale = core.replaceNamespacedConfigMap({ namespace: where, name, body: { ...created, data: {} } })
    await expect(stale).rejects.toMatchObject({ code: 409 })
    const patched = await core.patchNamespacedConfigMap(
      { namespace: where, name, body: { data: { b: '3' } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    )
    expect(patched.data).toEqual({ a: '2', b: '3' })
    const { items } = await core.listNamespacedConfigMap({ namespace: where, fieldSelector: `metadata.name=${name}` })
    expect(items).toHaveLength(1)
    await core.deleteNamespacedConfigMap({ namespace: where, name })
    await expect(core.readNamespacedConfigMap({ namespace: where, name })).rejects.toMatchObject({ code: 404 })
  })

  it('writes the status of a pod', async () => {
    const name = uniqueName('pod')
    const where = namespace.name
    const spec = { containers: [{ name: 'c', image: 'i' }] }
    await core.createNamespacedPod({ namespace: where, body: { metadata: { name }, spec } })
    const done = await core.patchNamespacedPodStatus(
      { namespace: where, name, body: { status: { phase: 'Running', podIP: '10.0.0.1' } } },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    )
    expect(done.status).toMatchObject({ phase: 'Running', podIP: '10.0.0.1' })
    await core.deleteNamespacedPod({ namespace: where, name, gracePeriodSeconds: 0 })
  })

  it('watches', async () => {
    const path = `/api/v1/namespaces/${namespace.name}/configmaps`
    const { metadata } = await core.listNamespacedConfigMap({ namespace: namespace.name })
    const name = uniqueName('map')
    const seen = await new Promise<[string, string]>((resolve, reject) => {
      const query = { resourceVersion: metadata?.resourceVersion, allowWatchBookmarks: true }
      new Watch(config)
        .watch(
          path,
          query,
          (phase, object) => {
            if (object.metadata.name === name) resolve([phase, object.metadata.name])
          },
          reject,
        )
        .then((abort) => {
          open = abort
          return core.createNamespacedConfigMap({ namespace: namespace.name, body: { metadata: { name } } })
        })
        .catch(reject)
    })
    open?.abort()
    expect(seen).toEqual(['ADDED', name])
  })
})

let open: AbortController | undefined
