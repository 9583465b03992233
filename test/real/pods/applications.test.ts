import { mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from '@kedge/shared/objects'
import { beforeAll, describe, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { conditionOf } from '../../support/api.ts'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { Fleet } from '../../support/fleet.ts'
import type { Body } from '../../support/kube.ts'
import { portsInARow } from '../../support/ports-in-a-row.ts'

const reason = withoutContainerd()
/** On a machine that others keep busy containers take their time. */
const timeout = 180_000
const until = <T>(look: () => T | Promise<T>) => eventually(look, { within: 120_000, every: 50 })

/**
 * The cases of KubeEdge by which it shows that applications run, by their names there, through the API and on a real
 * engine. What is a controller's work there (Deployment, StatefulSet) is done here as controllers do it: by pods.
 */
describe.skipIf(reason !== undefined)(
  `applications, as KubeEdge has them (${reason ?? 'as root'})`,
  { timeout },
  () => {
    const whenOver = afterThese()
    let containerd: Containerd
    let fleet: Fleet

    beforeAll(async () => {
      containerd = await Containerd.start(whenOver)
      fleet = await Fleet.start({ engine: containerd.socket, whenOver })
    }, timeout)

    interface Parts {
      container?: Record<string, unknown>
      spec?: Record<string, unknown>
      metadata?: Record<string, unknown>
    }

    /** On the node's network unless `spec` says otherwise: whatever is not about networks does without. */
    function app(name: string, { container = {}, spec = {}, metadata = {} }: Parts = {}): KubeObject {
      const containers = [{ name: 'web', image: containerd.image, ...container }]
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', ...metadata },
        spec: { nodeName: 'edge-1', hostNetwork: true, terminationGracePeriodSeconds: 1, containers, ...spec },
      }
    }

    const pod = (name: string): Promise<Body> => fleet.api.find(`pods/default/${name}`)

    async function when(name: string, look: (pod: Body) => unknown): Promise<Body> {
      let last: Body
      const seen = async () => {
        last = await pod(name)
        return last !== undefined && Boolean(look(last)) && last
      }
      return until(seen).catch((cause) => {
        throw new Error(JSON.stringify(last?.status, null, 1), { cause })
      })
    }

    const isReady = (body: Body) => body.status?.phase === 'Running' && conditionOf(body, 'Ready')?.status === 'True'

    /** Creates it and waits until it runs and is ready. */
    async function run(one: KubeObject): Promise<Body> {
      await fleet.api.create(one)
      return when(one.metadata.name, isReady)
    }

    const gone = (name: string) => until(async () => (await pod(name)) === undefined)

    function containerOf(body: Body): Body & { id: string } {
      const [status] = body.status.containerStatuses
      return { ...status, id: status.containerID.replace('containerd://', '') }
    }

    /** What the engine runs, by the names of the pods. */
    const atTheEngine = (name: string) =>
      containerd.ctr('containers', 'ls', `labels."io.kubernetes.pod.name"==${name}`, '-q').split('\n').filter(Boolean)

    /** What the kernel is told about it. */
    const linuxOf = (body: Body) => JSON.parse(containerd.ctr('containers', 'info', containerOf(body).id)).Spec.linux

    const sh = (script: string) => ['/bin/sh', '-c', script]

    test.concurrent('TC_TEST_APP_DEPLOYMENT_1: Test application deployment in edgecore', async ({ expect }) => {
      const body = await run(app('tc1'))
      expect(body.status).toMatchObject({
        phase: 'Running',
        qosClass: 'BestEffort',
        containerStatuses: [{ ready: true }],
      })
      expect(readFileSync(`/proc/${containerd.pidOf(containerOf(body).id)}/cmdline`, 'utf8')).toContain('/bin/sh')
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_2: Test List application deployment in edgecore', async ({ expect }) => {
      await Promise.all([run(app('tc2-a')), run(app('tc2-b'))])
      const listed = (await fleet.node('edge-1').get('pods')).filter(({ metadata }) => metadata.name.startsWith('tc2-'))
      expect(listed.map(({ metadata, status }) => [metadata.name, status.phase])).toEqual([
        ['tc2-a', 'Running'],
        ['tc2-b', 'Running'],
      ])
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_3: Test application deployment delete from edgecore', async ({
      expect,
    }) => {
      await run(app('tc3'))
      await fleet.api.remove('pods/default/tc3')
      await gone('tc3')
      await until(() => atTheEngine('tc3').length === 0)
      expect((await fleet.node('edge-1').keys()).filter((key) => key.includes('tc3'))).toEqual([])
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_4: … deleted before it runs', async () => {
      await fleet.api.create(app('tc4'))
      await fleet.api.remove('pods/default/tc4')
      await gone('tc4')
      await until(() => atTheEngine('tc4').length === 0)
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_5: … one of two, that does not end when asked to', async ({ expect }) => {
      const deaf = { command: sh('trap "" TERM; while true; do sleep 0.2; done') }
      const [, kept] = await Promise.all([run(app('tc5', { container: deaf })), run(app('tc5-kept'))])
      await fleet.api.remove('pods/default/tc5')
      await gone('tc5')
      await until(() => atTheEngine('tc5').length === 0)
      expect((await pod('tc5-kept')).status).toEqual(kept.status)
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_6: Test application deployment with restart policy : no restart', async ({
      expect,
    }) => {
      await fleet.api.create(app('tc6', { container: { command: sh('exit 3') }, spec: { restartPolicy: 'Never' } }))
      const { status } = await when('tc6', ({ status }) => status?.phase === 'Failed')
      expect(status.containerStatuses).toMatchObject([
        { restartCount: 0, state: { terminated: { exitCode: 3, reason: 'Error' } } },
      ])
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_7: Test application deployment with restart policy : always', async ({
      expect,
    }) => {
      const first = containerOf(await run(app('tc7')))
      process.kill(containerd.pidOf(first.id), 'SIGKILL')
      const second = containerOf(await when('tc7', (body) => isReady(body) && containerOf(body).id !== first.id))
      expect(second).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 137 } } })
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_8: … without liveness probe and service probe', async ({ expect }) => {
      // Nothing answers there, and nobody asks.
      const { status } = await run(app('tc8', { container: { ports: [{ containerPort: 1 }] } }))
      expect(status.containerStatuses).toMatchObject([{ started: true, ready: true, restartCount: 0 }])
    })

    const server = { command: sh('mkdir /www; touch /www/live /www/ready; exec httpd -f -p 8080 -h /www') }
    const asked = (path: string) => ({ httpGet: { path, port: 8080 }, periodSeconds: 1, failureThreshold: 2 })
    /** In the container, by way of its root. */
    const removeIn = (body: Body, path: string) => rmSync(`/proc/${containerd.pidOf(containerOf(body).id)}/root${path}`)

    test.concurrent('TC_TEST_APP_DEPLOYMENT_9: Test application deployment with liveness probe', async ({ expect }) => {
      const container = { ...server, livenessProbe: asked('/live'), readinessProbe: asked('/ready') }
      const body = await run(app('tc9', { container, spec: { hostNetwork: false } }))
      removeIn(body, '/www/live')
      const after = await when('tc9', (now) => isReady(now) && containerOf(now).restartCount === 1)
      expect(after.status.podIP).toBe(body.status.podIP)
      const reasons = async () =>
        (await fleet.api.list('events')).flatMap(({ involvedObject, reason: why }) =>
          involvedObject.name === 'tc9' ? [why] : [],
        )
      await until(async () => (await reasons()).includes('Unhealthy') && (await reasons()).includes('Killing'))
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_10: Test application deployment with Service probe', async ({ expect }) => {
      const container = { ...server, readinessProbe: asked('/ready') }
      const body = await run(app('tc10', { container, spec: { hostNetwork: false } }))
      removeIn(body, '/www/ready')
      const after = await when('tc10', (now) => conditionOf(now, 'Ready')?.status === 'False')
      expect(after.status).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: false, restartCount: 0 }] })
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_11: … with resource memory limit', async ({ expect }) => {
      const body = await run(app('tc11', { container: { resources: { limits: { memory: '64Mi' } } } }))
      expect(linuxOf(body).resources.memory.limit).toBe(64 * 2 ** 20)
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_12: … with resource cpu limit', async ({ expect }) => {
      const body = await run(app('tc12', { container: { resources: { limits: { cpu: '250m' } } } }))
      expect(linuxOf(body).resources.cpu).toMatchObject({ quota: 25_000, period: 100_000, shares: 256 })
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_13: … memory and cpu limit less than requested', async ({ expect }) => {
      const resources = { limits: { memory: '32Mi', cpu: '100m' }, requests: { memory: '64Mi', cpu: '200m' } }
      const { code, text } = await fleet.api.post(app('tc13', { container: { resources } }))
      expect(code).toBe(422)
      expect(text).toContain('less than or equal to')
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_14: … requested and limit values of memory and cpu', async ({ expect }) => {
      const resources = { limits: { memory: '64Mi', cpu: '200m' }, requests: { memory: '32Mi', cpu: '100m' } }
      const body = await run(app('tc14', { container: { resources } }))
      expect(body.status.qosClass).toBe('Burstable')
      const { memory, cpu } = linuxOf(body).resources
      expect({ limit: memory.limit, ...cpu }).toMatchObject({ limit: 64 * 2 ** 20, quota: 20_000, shares: 102 })
    })

    const netOf = (pid: number | 'self') => readlinkSync(`/proc/${pid}/ns/net`)

    test.concurrent('TC_TEST_APP_DEPLOYMENT_15: … container network configuration as host', async ({ expect }) => {
      const body = await run(app('tc15'))
      expect(netOf(containerd.pidOf(containerOf(body).id))).toBe(netOf('self'))
      expect(body.status.podIP).toBe(body.status.hostIP)
    })

    test.concurrent('TC_TEST_APP_DEPLOYMENT_16: … container network configuration as port mapping', async ({
      expect,
    }) => {
      const hostPort = await portsInARow(1)
      const container = { ...server, ports: [{ containerPort: 8080, hostPort }] }
      const body = await run(app('tc16', { container, spec: { hostNetwork: false } }))
      expect(netOf(containerd.pidOf(containerOf(body).id))).not.toBe(netOf('self'))
      expect(body.status.podIP).not.toBe(body.status.hostIP)
      const address = Object.values(networkInterfaces())
        .flat()
        .find((one) => one?.family === 'IPv4' && !one.internal && !one.address.startsWith('10.2'))
      const hosts = [`${body.status.podIP}:8080`, ...(address ? [`${address.address}:${hostPort}`] : [])]
      const get = (url: string) => fetch(url, { signal: AbortSignal.timeout(2000) }).then(({ status }) => status)
      for (const host of hosts) expect(await until(() => get(`http://${host}/live`))).toBe(200)
    })

    /** What a ReplicaSet's controller does: as many pods as it should have, and a new one for each that goes. */
    async function replicas(set: string, count: number): Promise<Body[]> {
      const own = ({ metadata }: Body) => metadata.labels?.app === set && metadata.deletionTimestamp === undefined
      const ownerReferences = [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: set, uid: `uid-${set}`, controller: true },
      ]
      return until(async () => {
        const there = (await fleet.api.list('pods')).filter(own)
        for (let missing = there.length; missing < count; missing += 1) {
          const name = `${set}-${Math.random().toString(36).slice(2, 7)}`
          await fleet.api.create(app(name, { metadata: { labels: { app: set }, ownerReferences } }))
        }
        return there.length === count && there.every(isReady) && there
      })
    }

    test.concurrent('E2E_APP_DEPLOYMENT_1: Create deployment and check the pods are coming up correctly', async () => {
      await replicas('e2e-app-1', 1)
    })

    test.concurrent('E2E_APP_DEPLOYMENT_2, _3: … with replicas, re-created when a user deletes them', async ({
      expect,
    }) => {
      const before = await replicas('e2e-app-3', 3)
      const [first, ...others] = before
      await fleet.api.remove(`pods/default/${first?.metadata.name}`)
      const after = await replicas('e2e-app-3', 3)
      await gone(first?.metadata.name)
      expect(after.map(({ metadata }) => metadata.name)).not.toContain(first?.metadata.name)
      const idsIn = (pods: Body[]) => pods.map((body) => containerOf(body).id)
      expect(idsIn(after)).toEqual(expect.arrayContaining(idsIn(others)))
    })

    test.concurrent('E2E_POD_DEPLOYMENT_1, _2, _3: Create pod, delete it, and delete it again', async ({ expect }) => {
      await run(app('e2e-pod-3'))
      await fleet.api.remove('pods/default/e2e-pod-3')
      await gone('e2e-pod-3')
      await expect(fleet.api.remove('pods/default/e2e-pod-3')).rejects.toThrow('the API answered 404')
      await until(() => atTheEngine('e2e-pod-3').length === 0)
    })

    test.concurrent('E2E_POD_DEPLOYMENT_4: Create and delete pod multiple times', async ({ expect }) => {
      const ids = new Set<string>()
      for (let round = 0; round < 3; round += 1) {
        ids.add(containerOf(await run(app('e2e-pod-4'))).id)
        await fleet.api.remove('pods/default/e2e-pod-4')
        await gone('e2e-pod-4')
      }
      expect(ids.size).toBe(3)
      await until(() => atTheEngine('e2e-pod-4').length === 0)
    })

    test.concurrent('E2E_POD_DEPLOYMENT_5: Create pod with hostpath volume successfully', async () => {
      const path = join(containerd.dir, 'shared')
      mkdirSync(path)
      writeFileSync(join(path, 'asked'), 'here')
      const command = sh('cp /host/asked /host/answered; while true; do sleep 0.2; done')
      const container = { command, volumeMounts: [{ name: 'host', mountPath: '/host' }] }
      await run(app('e2e-pod-5', { container, spec: { volumes: [{ name: 'host', hostPath: { path } }] } }))
      await until(() => readFileSync(join(path, 'answered'), 'utf8') === 'here')
    })

    test.concurrent('E2E_ES_POD_HOLD_UPGRADE_1, E2E_ES_NODE_HOLD_UPGRADE_2: … pending until unheld', async ({
      expect,
    }) => {
      const hold = 'edge.kubeedge.io/hold-upgrade'
      const names = ['e2e-hold-a', 'e2e-hold-b']
      await fleet.api.create(...names.map((name) => app(name, { metadata: { annotations: { [hold]: 'true' } } })))
      for (const name of names) {
        const body = await when(name, (one) => conditionOf(one, 'HeldUpgrade')?.status === 'True')
        expect(body.status).toMatchObject({ phase: 'Pending', containerStatuses: [{ ready: false }] })
      }
      // Whoever runs already is not held.
      await run(app('e2e-hold-c'))
      await fleet.api.patch('pods/default/e2e-hold-c', { metadata: { annotations: { [hold]: 'true' } } })
      expect(names.flatMap(atTheEngine)).toEqual([])
      for (const name of names)
        await fleet.api.patch(`pods/default/${name}`, { metadata: { annotations: { [hold]: null } } })
      for (const name of names) expect(conditionOf(await when(name, isReady), 'HeldUpgrade')?.status).toBe('False')
      expect(containerOf(await when('e2e-hold-c', isReady)).restartCount).toBe(0)
    })

    test.concurrent('Basic StatefulSet test; Delete statefulSet pod multi times', async ({ expect }) => {
      const member = (index: number) => {
        const name = `stateful-${index}`
        const path = join(containerd.dir, name)
        const command = sh('hostname >> /data/names; while true; do sleep 0.2; done')
        const container = { command, volumeMounts: [{ name: 'data', mountPath: '/data' }] }
        const volumes = [{ name: 'data', hostPath: { path, type: 'DirectoryOrCreate' } }]
        const spec = { hostname: name, subdomain: 'stateful', hostNetwork: false, volumes }
        return app(name, { container, spec })
      }
      await run(member(0))
      const other = await run(member(1))
      for (let round = 0; round < 2; round += 1) {
        await fleet.api.remove('pods/default/stateful-0')
        await gone('stateful-0')
        await run(member(0))
      }
      const names = () => readFileSync(join(containerd.dir, 'stateful-0', 'names'), 'utf8')
      await until(() => names() === 'stateful-0\n'.repeat(3))
      expect(containerOf(await pod('stateful-1'))).toEqual(containerOf(other))
    })
  },
)
