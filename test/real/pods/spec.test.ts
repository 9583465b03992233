import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@kedge/shared/objects'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { configMap, type PodOptions, pod, secret } from '../../support/pod-node.ts'
import { RealPodNode } from '../../support/real-pod-node.ts'

const reason = withoutContainerd()
/** On a machine that others keep busy containers take their time. */
const timeout = 180_000
const until = (look: () => unknown) => eventually(look, { within: 90_000 })
const sleeping = 'trap "exit 0" TERM; while true; do sleep 0.1; done'

describe.skipIf(reason !== undefined)(`pods of a real containerd (${reason ?? 'as root'})`, { timeout }, () => {
  const whenOver = afterThese()
  let containerd: Containerd
  let node: RealPodNode

  beforeAll(async () => {
    containerd = await Containerd.start(whenOver)
    node = RealPodNode.start(containerd, whenOver)
  })

  /** A pod on the node's network with one container that runs `script`. */
  function one(
    name: string,
    container: Record<string, unknown> = {},
    spec: Record<string, unknown> = {},
    more: PodOptions = {},
  ): KubeObject {
    const web = { name: 'web', image: containerd.image, command: ['/bin/sh', '-c', sleeping], ...container }
    return pod(name, {
      ...more,
      spec: { terminationGracePeriodSeconds: 3, hostNetwork: true, containers: [web], ...spec },
    })
  }

  test.concurrent('environment, volumes and names are as the spec says', async ({ expect }) => {
    const host = join(node.dir, 'host')
    mkdirSync(host)
    writeFileSync(join(host, 'there'), 'on the node')
    const env = [
      { name: 'A', value: 'a' },
      { name: 'B', value: '$(A)-$$(A)-$(FROM_b)' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'key', key: 'password' } } },
    ]
    await node.put(configMap('conf', { b: 'of conf', 'not=one': 'x' }), secret('key', { password: 'hunter2' }))
    await node.put(
      one(
        'spec',
        {
          env,
          envFrom: [{ prefix: 'FROM_', configMapRef: { name: 'conf' } }],
          command: ['/bin/sh', '-c', `echo $(A) "$0" > /empty/args; ${sleeping}`, '$(KEY)'],
          resources: { limits: { cpu: '250m', memory: '64Mi' } },
          volumeMounts: [
            { name: 'conf', mountPath: '/conf' },
            { name: 'key', mountPath: '/key' },
            { name: 'empty', mountPath: '/empty' },
            { name: 'memory', mountPath: '/memory' },
            { name: 'host', mountPath: '/host', readOnly: true },
            { name: 'host', mountPath: '/part', subPath: 'there' },
            { name: 'empty', mountPath: '/mine', subPathExpr: 'of/$(A)' },
          ],
        },
        {
          hostNetwork: false,
          hostname: 'box',
          subdomain: 'sub',
          hostAliases: [{ ip: '192.0.2.9', hostnames: ['nine', 'neuf'] }],
          dnsPolicy: 'None',
          dnsConfig: {
            nameservers: ['192.0.2.53'],
            searches: ['example.org'],
            options: [{ name: 'ndots', value: '2' }],
          },
          securityContext: { fsGroup: 2000 },
          volumes: [
            { name: 'conf', configMap: { name: 'conf' } },
            { name: 'key', secret: { secretName: 'key', defaultMode: 0o400 } },
            { name: 'empty', emptyDir: {} },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
            { name: 'host', hostPath: { path: host, type: 'Directory' } },
          ],
        },
      ),
    )
    const { podIP } = await node.running('spec')
    const said = await node.shell(
      'spec',
      'echo "$B|$IP|$CPU|$KEY"; cat /empty/args; cat /conf/b; echo; cat /key/password; echo; stat -c %a:%g /key/..data/password; ' +
        'cat /host/there; echo; cat /part; echo; ls /mine; hostname; grep -c tmpfs /proc/mounts >/dev/null; ' +
        'df -k /memory | tail -1 | tr -s " " | cut -d" " -f2; touch /host/x 2>&1; stat -c %a:%g /empty; cat /etc/resolv.conf; cat /etc/hosts',
    )
    const [first, args, conf, key, mode, there, part, name, size, readOnly, empty, ...files] = said.split('\n')
    expect(first).toBe(`a-$(A)-of conf|${podIP}|250|hunter2`)
    expect({ args, conf, key, mode, there, part }).toEqual({
      ...{ args: 'a hunter2', conf: 'of conf', key: 'hunter2', mode: '440:2000' },
      ...{ there: 'on the node', part: 'on the node' },
    })
    expect({ name, size, empty }).toEqual({ name: 'box', size: '1024', empty: '2777:2000' })
    expect(readOnly).toContain('Read-only file system')
    expect(files.join('\n')).toContain('nameserver 192.0.2.53')
    expect(files).toContain(`${podIP}\tbox.sub.default.svc.cluster.local\tbox`)
    expect(files).toContain('192.0.2.9\tnine\tneuf')
    expect(node.events('spec').find((event) => event.reason === 'InvalidEnvironmentVariableNames')?.message).toContain(
      'FROM_not=one',
    )
    expect(readFileSync('/proc/mounts', 'utf8')).toContain(`${node.dir}/pods/uid-spec/volumes/key tmpfs`)
    await node.drop('pods/default/spec')
    await until(() => !existsSync(join(node.dir, 'pods', 'uid-spec')))
    expect(existsSync(join(host, 'there'))).toBe(true)
  })

  test.concurrent('a path that leads out of its volume starts nothing', async ({ expect }) => {
    const host = join(node.dir, 'escape')
    mkdirSync(host)
    symlinkSync('/etc', join(host, 'out'))
    const volumes = [{ name: 'host', hostPath: { path: host } }]
    await node.put(one('escape', { volumeMounts: [{ name: 'host', mountPath: '/x', subPath: 'out' }] }, { volumes }))
    await node.when('escape', ({ containerStatuses: [web] }) =>
      JSON.stringify(web?.state).includes('CreateContainerConfigError'),
    )
    expect(JSON.stringify(node.container('escape')?.state)).toContain('leads out of the volume')
  })

  test.concurrent('probes: started, ready, not ready, and restarted when it no longer lives', async ({ expect }) => {
    const check = (file: string) => ({ exec: { command: ['/bin/test', '-e', file] }, periodSeconds: 1 })
    await node.put(
      one('probed', {
        startupProbe: { ...check('/started'), failureThreshold: 30 },
        readinessProbe: { ...check('/ready'), failureThreshold: 1 },
        livenessProbe: { ...check('/started'), failureThreshold: 2, terminationGracePeriodSeconds: 1 },
      }),
    )
    await node.when('probed', ({ phase }) => phase === 'Running')
    expect(node.container('probed')).toMatchObject({ started: false, ready: false })
    await node.shell('probed', 'touch /started')
    await node.when('probed', ({ containerStatuses: [web] }) => web?.started === true)
    await node.shell('probed', 'touch /ready')
    await node.running('probed')
    await node.shell('probed', 'rm /started')
    await node.when('probed', ({ containerStatuses: [web] }) => web?.restartCount === 1)
    const events = node.events('probed').map((event) => `${event.reason} ${event.message}`)
    expect(events).toContain('Killing Container web failed liveness probe, will be restarted')
    expect(events.some((text) => text.startsWith('Unhealthy Liveness probe failed'))).toBe(true)
  })

  test.concurrent('hooks, last words and exit codes', async ({ expect }) => {
    const shared = join(node.dir, 'shared')
    mkdirSync(shared)
    const volumes = [{ name: 'host', hostPath: { path: shared } }]
    const volumeMounts = [{ name: 'host', mountPath: '/shared' }]
    const sh = (script: string) => ({ exec: { command: ['/bin/sh', '-c', script] } })
    const lifecycle = {
      postStart: sh('echo started > /shared/post'),
      preStop: sh('sleep 0.3; echo stopping > /shared/pre'),
    }
    await node.put(
      one('hooked', { volumeMounts, lifecycle }, { volumes }),
      one('unhooked', { lifecycle: { postStart: sh('echo no; exit 3') } }),
      one(
        'words',
        {
          command: ['/bin/sh', '-c', 'echo bye | tee /mem/x > /dev/termination-log; exit 3'],
          volumeMounts: [{ name: 'mem', mountPath: '/mem' }],
        },
        { restartPolicy: 'Never', volumes: [{ name: 'mem', emptyDir: { medium: 'Memory' } }] },
      ),
      one(
        'log',
        { command: ['/bin/sh', '-c', 'echo from the log; exit 1'], terminationMessagePolicy: 'FallbackToLogsOnError' },
        { restartPolicy: 'Never' },
      ),
    )
    await node.running('hooked')
    await until(() => existsSync(join(shared, 'post')))
    await node.put(one('hooked', { volumeMounts, lifecycle }, { volumes }, { deletion: { graceSeconds: 3 } }))
    await node.when('hooked', ({ phase }) => phase === 'Succeeded')
    expect(readFileSync(join(shared, 'pre'), 'utf8')).toBe('stopping\n')
    await node.when('words', ({ phase }) => phase === 'Failed')
    expect(node.container('words')?.state).toMatchObject({
      terminated: { exitCode: 3, reason: 'Error', message: 'bye\n' },
    })
    // Who has ended takes no memory.
    await until(() => !readFileSync('/proc/self/mountinfo', 'utf8').includes(`${node.dir}/pods/uid-words/`))
    await node.when('log', ({ phase }) => phase === 'Failed')
    expect(node.container('log')?.state).toMatchObject({ terminated: { message: 'from the log\n' } })
    await node.when('unhooked', ({ containerStatuses: [web] }) => (web?.restartCount ?? 0) > 0)
    expect(node.events('unhooked').map((event) => event.reason)).toContain('FailedPostStartHook')
  })

  test.concurrent('init containers first, sidecars beside, restarts and rights', async ({ expect }) => {
    const mem = { name: 'mem', mountPath: '/mem' }
    const script = `if test -e /mem/again; then ${sleeping}; else touch /mem/again; exit 4; fi`
    const sh = (text: string) => ['/bin/sh', '-c', text]
    const image = containerd.image
    const initContainers = [
      { name: 'first', image, command: sh('echo made > /mem/made; chmod 777 /mem/made'), volumeMounts: [mem] },
      {
        ...{ name: 'beside', image, restartPolicy: 'Always', volumeMounts: [mem] },
        command: sh(`test -e /mem/made && sleep 0.5 && touch /mem/up; ${sleeping}`),
        startupProbe: { exec: { command: ['/bin/test', '-e', '/mem/up'] }, periodSeconds: 1, failureThreshold: 30 },
      },
    ]
    await node.put(
      one(
        'ordered',
        {
          command: sh(script),
          volumeMounts: [mem, { name: 'mem', mountPath: '/part', subPath: 'made' }],
          securityContext: {
            runAsUser: 1000,
            runAsGroup: 1001,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
        { initContainers, volumes: [{ name: 'mem', emptyDir: { medium: 'Memory' } }] },
      ),
      one('rootless', {}, { securityContext: { runAsNonRoot: true } }),
      one(
        'greedy',
        {
          command: sh('sleep 1; head -c 64m /dev/zero | tail; code=$?; sleep 1; exit $code'),
          resources: { limits: { memory: '16Mi' } },
        },
        { restartPolicy: 'Never' },
      ),
    )
    const { initContainerStatuses, conditions } = await node.when(
      'ordered',
      ({ phase, containerStatuses: [web] }) => phase === 'Running' && web?.ready === true && web.restartCount === 1,
    )
    expect(initContainerStatuses).toMatchObject([
      { name: 'first', ready: true, state: { terminated: { exitCode: 0, reason: 'Completed' } } },
      { name: 'beside', ready: true, started: true, state: { running: {} } },
    ])
    expect(conditions.find(({ type }) => type === 'Initialized')?.status).toBe('True')
    expect(node.container('ordered')?.lastState).toMatchObject({ terminated: { exitCode: 4, reason: 'Error' } })
    const said = await node.shell('ordered', 'id -u; id -g; cat /part; touch /x 2>&1; grep CapEff /proc/self/status')
    expect(said.split('\n')).toEqual([
      '1000',
      '1001',
      'made',
      expect.stringContaining('Read-only'),
      expect.stringMatching(/0000$/),
    ])
    await node.when('rootless', () =>
      JSON.stringify(node.container('rootless')?.state).includes('CreateContainerConfigError'),
    )
    expect(JSON.stringify(node.container('rootless')?.state)).toContain('image will run as root')
    await node.when('greedy', ({ phase }) => phase === 'Failed')
    expect(node.container('greedy')?.state).toMatchObject({ terminated: { exitCode: 137, reason: 'OOMKilled' } })
  })

  test.concurrent('a server is probed over the network of its pod', async ({ expect }) => {
    const web = {
      command: ['/bin/sh', '-c', 'mkdir -p /www; sleep 0.5; echo ok > /www/healthz; exec httpd -f -p 8080 -h /www'],
      ports: [{ name: 'http', containerPort: 8080 }],
      startupProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1, failureThreshold: 30 },
      readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 },
      livenessProbe: { grpc: { port: 1 }, periodSeconds: 1, failureThreshold: 1000 },
    }
    await node.put(one('served', web, { hostNetwork: false }))
    const { podIP } = await node.running('served')
    expect(podIP).toMatch(/^10\./)
    await node.shell('served', 'rm /www/healthz')
    await node.when('served', ({ containerStatuses: [one] }) => one?.ready === false)
    const unhealthy = node.events('served').filter((event) => event.reason === 'Unhealthy')
    expect(unhealthy.some(({ message }) => message.includes('HTTP probe failed with statuscode: 404'))).toBe(true)
    expect(node.container('served')?.restartCount).toBe(0)
  })

  test('an edgecore that comes back adopts what runs, with all that is mounted for it', async () => {
    const volumes = [{ name: 'key', secret: { secretName: 'adopted' } }]
    const readinessProbe = { exec: { command: ['/bin/test', '-e', '/key/password'] }, periodSeconds: 1 }
    await node.put(secret('adopted', { password: 'hunter2' }))
    await node.put(one('adopted', { readinessProbe, volumeMounts: [{ name: 'key', mountPath: '/key' }] }, { volumes }))
    const { containerStatuses: before } = await node.running('adopted')
    await node.stop()
    await node.put(secret('adopted', { password: 'changed' }))
    node.start()
    await until(async () => (await node.shell('adopted', 'cat /key/password')) === 'changed')
    expect(node.status('adopted')?.containerStatuses).toEqual(before)
  })
})
