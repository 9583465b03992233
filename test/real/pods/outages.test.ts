import { readFileSync } from 'node:fs'
import type { KubeObject } from '@kedge/shared/objects'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { conditionOf } from '../../support/api.ts'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { Fleet } from '../../support/fleet.ts'
import type { Body } from '../../support/kube.ts'
import { secret } from '../../support/manifests.ts'
import { ociImage } from '../../support/oci-image.ts'
import { Registry } from '../../support/registry.ts'
import { canMount } from '../../support/small-disk.ts'

const reason = withoutContainerd()
const mounts = canMount()
/** On a machine that others keep busy containers take their time. */
const timeout = 180_000
const until = <T>(look: () => T | Promise<T>) => eventually(look, { within: 120_000, every: 50 })

/** One node with a real engine, through all that happens to boards, one after the other. */
describe.skipIf(reason !== undefined)(`pods through outages (${reason ?? 'as root'})`, { timeout }, () => {
  const whenOver = afterThese()
  let containerd: Containerd
  let registry: Registry
  let fleet: Fleet
  const edge = () => fleet.node('edge-1')
  const steady = ['web', 'net']

  beforeAll(async () => {
    containerd = await Containerd.start(whenOver, mounts ? { disk: '200m' } : {})
    registry = await Registry.start(whenOver)
    // Its registry is nowhere: what lies on the node is used.
    await containerd.import(ociImage('127.0.0.1:1/kept:1'))
    fleet = await Fleet.start({ engine: containerd.socket, edges: 'process', nodesIn: containerd.dir, whenOver })
    const key = { name: 'key', mountPath: '/key' }
    const volumes = [{ name: 'key', secret: { secretName: 'key' } }]
    const always = { image: '127.0.0.1:1/kept:1', imagePullPolicy: 'Always', volumeMounts: [key] }
    await fleet.api.create(
      secret('key', { password: 'hunter2' }),
      podOf('web'),
      podOf('net', always, { hostNetwork: false, volumes }),
      podOf('loops', { command: ['/bin/sh', '-c', 'exit 4'] }),
      podOf('late', { image: `${registry.host}/late:1` }),
    )
    for (const name of steady) await running(name)
  }, timeout)

  function podOf(name: string, container: object = {}, spec: object = {}): KubeObject {
    const containers = [{ name: 'web', image: containerd.image, ...container }]
    const common = { nodeName: 'edge-1', hostNetwork: true, terminationGracePeriodSeconds: 1, containers }
    return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { ...common, ...spec } }
  }

  interface Web {
    id: string
    restartCount: number
    ready: boolean
    state: Body
    lastState: Body
  }

  function webOf(body: Body): Web {
    const [status] = body.status?.containerStatuses ?? []
    if (status === undefined) throw new Error(`pod ${body.metadata.name} has no container yet`)
    return { ...status, id: status.containerID?.replace('containerd://', '') }
  }

  const atTheApi = async (name: string) => webOf(await fleet.api.get(`pods/default/${name}`))

  const onTheNode = async (name: string) => {
    const found = (await edge().get('pods')).find(({ metadata }) => metadata.name === name)
    return webOf(found)
  }

  async function running(name: string, look = atTheApi): Promise<Web> {
    return until(async () => {
      const web = await look(name)
      return web.ready && 'running' in web.state && web
    })
  }

  const pids = () => steady.map(async (name) => containerd.pidOf((await atTheApi(name)).id))

  const cutPower = async () => {
    await edge().stop('kill')
    await containerd.powerCut()
  }

  /** When the one that ends again and again has ended for the second time: it then waits ten seconds. */
  let began = ''

  test('a crash loop waits before it goes on; an image that nobody has is told, and keeps nobody up', async () => {
    await until(async () => {
      const { state, restartCount } = await atTheApi('loops')
      return state.waiting?.reason === 'CrashLoopBackOff' && restartCount === 1
    })
    const { lastState } = await atTheApi('loops')
    expect(lastState.terminated).toMatchObject({ exitCode: 4, reason: 'Error' })
    const late = await until(async () => {
      const { state } = await atTheApi('late')
      return /^(ErrImagePull|ImagePullBackOff)$/.test(state.waiting?.reason) && state.waiting
    })
    expect(late.message).toContain(`${registry.host}/late:1`)
    const events = async () =>
      (await fleet.api.list('events')).map((event) => `${event.involvedObject.name} ${event.reason}`)
    await until(async () => (await events()).includes('loops BackOff') && (await events()).includes('late Failed'))
    began = lastState.terminated.finishedAt
  })

  test('kill -9 of edgecore, of containerd, and of both: nothing is restarted, and what was asked for is done', async () => {
    const before = await Promise.all(steady.map(atTheApi))
    const processes = await Promise.all(pids())
    await fleet.api.create(podOf('leaves'))
    await running('leaves')

    await containerd.kill()
    await fleet.api.create(podOf('comes'))
    await fleet.api.remove('pods/default/leaves')
    await containerd.run()
    await running('comes')
    await until(async () => (await fleet.api.find('pods/default/leaves')) === undefined)

    registry.add('late:1', ociImage('late:1'))
    await edge().stop('kill')
    await containerd.kill()
    await fleet.api.remove('pods/default/comes')
    await fleet.api.create(podOf('after'))
    // The engine comes later than edgecore.
    await edge().start()
    await containerd.run()
    await running('after')
    await running('late')
    await until(async () => (await fleet.api.find('pods/default/comes')) === undefined)

    expect(await Promise.all(steady.map(atTheApi))).toEqual(before)
    expect(await Promise.all(pids())).toEqual(processes)
  })

  test('a link that is cut: restarts go on, nobody is evicted, and the reconnect changes what was changed', async () => {
    const before = await atTheApi('net')
    const web = await atTheApi('web')
    // The engine was away a moment ago.
    await until(async () => conditionOf(await fleet.api.get('nodes/edge-1'), 'Ready')?.status === 'True')
    onTestFinished(() => edge().link.heal())
    edge().link.cut()
    await until(async () => conditionOf(await fleet.api.get('nodes/edge-1'), 'Connected')?.status === 'False')
    process.kill(containerd.pidOf(web.id), 'SIGKILL')
    const alone = await until(async () => {
      const now = await running('web', onTheNode)
      return now.id !== web.id && now
    })
    await fleet.api.create(podOf('meanwhile'))
    const node = await fleet.api.get('nodes/edge-1')
    expect(conditionOf(node, 'Ready')?.status).toBe('True')
    expect((node.spec.taints ?? []).map(({ effect }: Body) => effect)).toEqual(['NoSchedule'])
    expect((await fleet.api.list('pods')).filter(({ metadata }) => metadata.deletionTimestamp)).toEqual([])
    edge().link.heal()
    await running('meanwhile')
    await until(async () => (await atTheApi('web')).id === alone.id)
    expect((await atTheApi('web')).restartCount).toBe(web.restartCount + 1)
    expect(await atTheApi('net')).toEqual(before)
    // It waited on over the end of edgecore and of the engine.
    const next = await until(async () => {
      const { lastState } = await atTheApi('loops')
      return lastState.terminated?.finishedAt !== began && lastState.terminated
    })
    expect(Date.parse(next.startedAt) - Date.parse(began)).toBeGreaterThanOrEqual(9000)
  })

  test('a power cut while there is no cloud: everything comes back by itself, and the cloud hears of it', async () => {
    const before = await fleet.api.get('pods/default/net')
    const web = await atTheApi('web')
    await fleet.stopCloud()
    await cutPower()
    await containerd.run()
    await edge().start()
    const again = await until(async () => {
      const now = await running('net', onTheNode)
      return now.id !== webOf(before).id && now
    })
    const root = `/proc/${containerd.pidOf(again.id)}/root`
    expect(readFileSync(`${root}/key/password`, 'utf8')).toBe('hunter2')
    expect(again.restartCount).toBe(1)
    await running('web', onTheNode)
    await fleet.startCloud()
    await until(async () => (await atTheApi('net')).id === again.id)
    const { metadata, status } = await fleet.api.get('pods/default/net')
    expect(metadata.uid).toBe(before.metadata.uid)
    expect(status).toMatchObject({ phase: 'Running', podIP: expect.stringMatching(/^10\./) })
    await until(async () => (await atTheApi('web')).restartCount === web.restartCount + 1)
  })

  test.skipIf(!mounts)(
    'a full disk: what runs runs on, what ends meanwhile is started when there is room',
    async () => {
      const net = await running('net')
      await fleet.api.create(podOf('ends'))
      const ends = await running('ends')
      const pid = edge().edge.pid
      const netPid = containerd.pidOf(net.id)
      const endsPid = containerd.pidOf(ends.id)
      containerd.disk?.fill()
      process.kill(endsPid, 'SIGKILL')
      await fleet.api.create(podOf('squeezed'))
      await until(() =>
        edge().log.some(({ msg, reason: why }) => msg === 'pod step failed' && /no space/.test(`${why}`)),
      )
      process.kill(netPid, 0)
      containerd.disk?.clear()
      await running('squeezed')
      const again = await until(async () => {
        const now = await running('ends')
        return now.id !== ends.id && now
      })
      expect(again.restartCount).toBeGreaterThan(ends.restartCount)
      expect(await atTheApi('net')).toEqual(net)
      expect(edge().edge.pid).toBe(pid)
      process.kill(pid ?? 0, 0)
    },
  )
})
