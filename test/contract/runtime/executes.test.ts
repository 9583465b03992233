import { mkdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { CriRuntime } from '@kedge/edgecore/pods/cri/engine'
import type { Container, ContainerConfig, PodConfig } from '@kedge/edgecore/pods/runtime'
import { ExecTimedOut } from '@kedge/edgecore/pods/runtime'
import { systemScheduler } from '@kedge/edgecore/pods/scheduler'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { ociImage } from '../../support/oci-image.ts'
import { Registry } from '../../support/registry.ts'

const reason = withoutContainerd()

/** What an engine that executes does beyond what every engine does: each field of what it is told takes effect. */
describe.skipIf(reason !== undefined)(
  `a real containerd (${reason ?? 'as root'}) does what it is told`,
  { concurrent: true },
  () => {
    const whenOver = afterThese()
    let containerd: Containerd
    let runtime: CriRuntime
    /** Pods that something happened to. */
    const heard: string[] = []

    beforeAll(async () => {
      containerd = await Containerd.start(whenOver)
      await containerd.import(
        ociImage('kedge.test/app:1', { user: 'app' }),
        ociImage('kedge.test/uid:1', { user: '1000' }),
      )
      runtime = new CriRuntime({
        ...{ endpoint: () => containerd.socket, logRoot: join(containerd.dir, 'logs') },
        ...{ clock: systemClock, scheduler: systemScheduler, log: silentLog },
      })
      whenOver(runtime.watch(({ name }) => heard.push(name)))
      whenOver(() => runtime.close())
    })

    function pod(name: string, change: Partial<PodConfig> = {}): PodConfig {
      return {
        ...{ namespace: 'default', name, uid: `uid-${name}`, labels: {}, annotations: {}, containers: [], graceMs: 0 },
        ...{ hostNetwork: true },
        ...change,
      }
    }

    async function container(change: Partial<ContainerConfig> = {}): Promise<ContainerConfig> {
      const { image = containerd.image } = change
      const imageId = (await runtime.image(image)) ?? 'none'
      return { ...{ name: 'main', kind: 'main', image, imageId, attempt: 0, backoffMs: 0 }, ...change }
    }

    async function running(config: PodConfig, ...changes: Partial<ContainerConfig>[]): Promise<string[]> {
      const sandbox = await runtime.createSandbox(config, 0)
      const ids: string[] = []
      for (const change of changes.length === 0 ? [{}] : changes) {
        const id = await runtime.createContainer(sandbox, config, await container(change))
        await runtime.startContainer(id)
        ids.push(id)
      }
      return ids
    }

    async function one(config: PodConfig, change: Partial<ContainerConfig> = {}): Promise<string> {
      const [id = ''] = await running(config, change)
      return id
    }

    /** What a shell says in a container. */
    async function shell(id: string, script: string): Promise<string> {
      const { exitCode, stdout, stderr } = await runtime.exec(id, ['/bin/sh', '-c', script], 20_000)
      if (exitCode !== 0) throw new Error(`${script}: exit code ${exitCode}, ${stdout}${stderr}`)
      return stdout.toString().trim()
    }

    async function seen(config: PodConfig): Promise<Container> {
      const [found] = (await runtime.list(config))[0]?.containers ?? []
      if (found === undefined) throw new Error('there is no container')
      return found
    }

    const exited = (config: PodConfig) =>
      eventually(async () => {
        const { state } = await seen(config)
        return state.is === 'exited' && state
      })

    test('command, arguments, environment, working directory, files and limits', async () => {
      const files = join(containerd.dir, 'files')
      mkdirSync(files)
      writeFileSync(join(files, 'hello'), 'from the node')
      const id = await one(pod('told'), {
        command: ['/bin/sh', '-c', 'echo "$0 $1" > /tmp/args; exec sleep 1000000'],
        args: ['one', 'two'],
        workingDir: '/tmp',
        env: [
          { name: 'COLOUR', value: 'blue = €' },
          { name: 'EMPTY', value: '' },
        ],
        mounts: [
          { hostPath: files, containerPath: '/files', readOnly: true },
          { hostPath: files, containerPath: '/writable' },
          { hostPath: join(files, 'hello'), containerPath: '/etc/hello' },
        ],
        resources: {
          cpuShares: 256,
          cpuQuota: 50_000,
          cpuPeriod: 100_000,
          memoryLimit: 64 * 2 ** 20,
          oomScoreAdj: 900,
        },
      })
      expect(await eventually(async () => (await shell(id, 'cat /tmp/args')) || undefined)).toBe('one two')
      expect(await shell(id, 'pwd; echo "$COLOUR|$FROM_IMAGE"; env | grep EMPTY')).toBe('/tmp\nblue = €|yes\nEMPTY=')
      expect(await shell(id, 'cat /files/hello /etc/hello')).toBe('from the nodefrom the node')
      expect(await shell(id, 'touch /files/new 2>/dev/null || touch /writable/new && ls /files')).toBe('hello\nnew')
      expect(await shell(id, 'cat /proc/1/oom_score_adj')).toBe('900')
      const cgroup2 = '/sys/fs/cgroup/memory.max'
      const limit = `cat ${cgroup2} 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes`
      expect(await shell(id, limit)).toBe(`${64 * 2 ** 20}`)
      const quota = 'cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us'
      expect(await shell(id, quota)).toMatch(/^50000/)
      // Below one cgroup of ours, whatever the engine calls its own.
      const cgroups = readFileSync(`/proc/${containerd.pidOf(id)}/cgroup`, 'utf8')
      expect(cgroups).toMatch(/:(memory:|:)\/(.*\/)?kedge(\/|\.slice\/cri-containerd-)/m)
    })

    test('who runs it and what it may do', async () => {
      const [root = '', strict = '', privileged = '', named = ''] = await running(
        pod('secure', { security: { privileged: true } }),
        { name: 'root' },
        {
          name: 'strict',
          security: {
            ...{ runAsUser: 1000, runAsGroup: 2000, supplementalGroups: [3000], readOnlyRootFilesystem: true },
            ...{ noNewPrivs: true, dropCapabilities: ['ALL'], seccomp: { type: 'RuntimeDefault' } },
          },
        },
        { name: 'privileged', security: { privileged: true } },
        { name: 'named', image: 'kedge.test/app:1' },
      )
      const status = (id: string, line: string) => shell(id, `grep ^${line}: /proc/1/status`)
      expect(await shell(root, 'id -u')).toBe('0')
      expect(await shell(root, 'touch /here && ls /here')).toBe('/here')
      expect(await status(root, 'Seccomp')).toMatch(/0$/)
      expect(await shell(strict, 'id -u; id -g; id -G')).toBe('1000\n2000\n2000 3000')
      expect(await shell(strict, 'touch /tmp/x 2>&1 || true')).toMatch(/Read-only/)
      expect(await status(strict, 'CapEff')).toMatch(/\t0+$/)
      expect(await status(strict, 'NoNewPrivs')).toMatch(/1$/)
      expect(await status(strict, 'Seccomp')).toMatch(/2$/)
      expect(await shell(privileged, 'ls /dev | grep -c .')).not.toBe(await shell(root, 'ls /dev | grep -c .'))
      expect(await shell(named, 'id -u')).toBe('1000')
      expect((await runtime.imageInfo('kedge.test/app:1'))?.user).toEqual({ name: 'app' })
      expect((await runtime.imageInfo('kedge.test/uid:1'))?.user).toEqual({ uid: 1000 })
    })

    test('a network of its own: address, name, resolver, a port of the node; and what a pod shares', async () => {
      const port = 20_000 + Math.floor(Math.random() * 10_000)
      const config = pod('net', {
        ...{
          hostNetwork: false,
          hostname: 'sensor',
          shareProcessNamespace: true,
          sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
        },
        dns: { servers: ['192.0.2.53'], searches: ['example.org'], options: ['ndots:2'] },
        portMappings: [{ protocol: 'TCP', containerPort: 8080, hostPort: port }],
      })
      const serve = ['/bin/sh', '-c', 'echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
      const [web = '', other = ''] = await running(config, { name: 'web', command: serve }, { name: 'other' })
      const [sandbox] = await runtime.list(config)
      expect(sandbox?.ip).toMatch(/^10\.\d+\.\d+\.\d+$/)
      expect(sandbox?.ips).toEqual([sandbox?.ip])
      const get = (url: string) => fetch(url, { signal: AbortSignal.timeout(2000) }).then((answer) => answer.text())
      expect(await eventually(() => get(`http://${sandbox?.ip}:8080/`))).toBe('hello\n')
      const address = Object.values(networkInterfaces())
        .flat()
        .find((one) => one?.family === 'IPv4' && !one.internal && !one.address.startsWith('10.2'))
      if (address !== undefined)
        expect(await eventually(() => get(`http://${address.address}:${port}/`))).toBe('hello\n')
      expect(await shell(other, 'wget -qO- http://127.0.0.1:8080/')).toBe('hello')
      expect(await shell(web, 'hostname')).toBe('sensor')
      expect(await shell(web, 'cat /etc/resolv.conf')).toBe(
        'search example.org\nnameserver 192.0.2.53\noptions ndots:2',
      )
      expect(await shell(web, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('80')
      expect(await shell(other, 'ps')).toContain('httpd')
    })

    test("the node's network, when asked for", async () => {
      const config = pod('host', { hostPID: true })
      const id = await one(config)
      expect((await runtime.list(config))[0]?.ip).toBeUndefined()
      expect(await shell(id, 'readlink /proc/self/ns/net')).toBe(readlinkSync('/proc/self/ns/net'))
      expect(await shell(id, `cat /proc/${process.pid}/comm`)).toBe(readFileSync('/proc/self/comm', 'utf8').trim())
    })

    test('commands have their exit code, their output, and a time', async () => {
      const id = await one(pod('exec'))
      const said = await runtime.exec(id, ['/bin/sh', '-c', 'echo out; echo err >&2; exit 7'], 10_000)
      expect({ ...said, stdout: `${said.stdout}`, stderr: `${said.stderr}` }).toEqual({
        exitCode: 7,
        stdout: 'out\n',
        stderr: 'err\n',
      })
      await expect(runtime.exec(id, ['/bin/sleep', '60'], 300)).rejects.toThrow(ExecTimedOut)
      await expect(runtime.exec(id, ['/bin/nothing'], 10_000)).rejects.toThrow(/nothing/)
      const much = await runtime.exec(id, ['/bin/sh', '-c', 'dd if=/dev/zero bs=1000 count=5000 2>/dev/null'], 20_000)
      expect(much.stdout.length).toBe(5_000_000)
    })

    test('streams: a URL on this machine for a command, for what runs, and for a port', async () => {
      const config = pod('stream', { hostNetwork: false })
      const id = await one(config)
      const [sandbox] = await runtime.list(config)
      const asked = { container: id, stdin: false, tty: false }
      for (const url of [
        await runtime.streamUrl({ is: 'exec', ...asked, command: ['/bin/true'] }),
        await runtime.streamUrl({ is: 'attach', ...asked }),
        await runtime.streamUrl({ is: 'portForward', sandbox: sandbox?.id ?? '', ports: [80] }),
      ]) {
        expect(new URL(url).hostname).toBe('127.0.0.1')
      }
    })

    test('writes logs, also to a new file', async () => {
      const config = pod('logs')
      const script = 'while true; do echo tick; sleep 0.1; done'
      const id = await one(config, { command: ['/bin/sh', '-c', script], attempt: 2 })
      const file = runtime.logFile(config, { name: 'main', attempt: 2 })
      expect(file).toBe(join(containerd.dir, 'logs/default_logs_uid-logs/main/2.log'))
      const line = await eventually(() => readFileSync(file, 'utf8').split('\n')[0] || undefined)
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+\S+ stdout F tick$/)
      renameSync(file, `${file}.1`)
      await runtime.reopenLog(id)
      await eventually(() => readFileSync(file, 'utf8').includes('tick'))
    })

    test('a process has its time to end, and is killed after it', async () => {
      const script = 'trap "sleep 0.2; exit 5" TERM; : > /heeds; while true; do sleep 0.05; done'
      const [polite = '', deaf = ''] = await running(
        pod('ends'),
        { name: 'polite', command: ['/bin/sh', '-c', script] },
        { name: 'deaf', command: ['/bin/sleep', '1000000'] },
      )
      await eventually(async () => (await runtime.exec(polite, ['/bin/ls', '/heeds'], 5000)).exitCode === 0)
      await runtime.stopContainer(polite, 30_000)
      await runtime.stopContainer(deaf, 1000)
      const [sandbox] = await runtime.list(pod('ends'))
      expect(['stopping', 'exited']).toContain(sandbox?.containers.find(({ id }) => id === deaf)?.state.is)
      const codes = await eventually(async () => {
        const states = (await runtime.list(pod('ends')))[0]?.containers.map(({ state }) => state) ?? []
        return (
          states.every(({ is }) => is === 'exited') && states.map((state) => state.is === 'exited' && state.exitCode)
        )
      })
      expect(codes).toEqual([5, 137])
    })

    test('says how it ended: a command that is not there, and memory that was too much', async () => {
      const missing = pod('missing')
      const sandbox = await runtime.createSandbox(missing, 0)
      const id = await runtime.createContainer(sandbox, missing, await container({ command: ['/bin/nothing'] }))
      await expect(runtime.startContainer(id)).rejects.toThrow(/nothing/)
      expect((await seen(missing)).state).toMatchObject({ is: 'exited', exitCode: 128, reason: 'StartError' })
      const greedy = pod('greedy')
      // containerd 1.6 misses what happens before it watches, and in the moment in which all ends.
      await one(greedy, {
        command: ['/bin/sh', '-c', 'sleep 1; dd if=/dev/zero of=/dev/null bs=200M; code=$?; sleep 1; exit $code'],
        resources: { memoryLimit: 16 * 2 ** 20 },
      })
      await exited(greedy)
      await eventually(async () => {
        const { state } = await seen(greedy)
        return state.is === 'exited' && state.reason === 'OOMKilled' && heard.includes('greedy')
      })
    })

    test('tells when the process that holds a pod together is gone', async () => {
      const config = pod('held')
      await one(config)
      const [sandbox] = await runtime.list(config)
      const told = () => heard.filter((name) => name === 'held').length
      const before = told()
      containerd.ctr('tasks', 'kill', '-s', 'SIGKILL', sandbox?.id ?? '')
      await eventually(async () => told() > before && (await runtime.list(config))[0]?.ready === false)
    })

    test('pulls with the credentials that the registry wants', async () => {
      const registry = await Registry.start(whenOver, 'secret')
      const image = registry.add('private:1', ociImage('private:1', { files: { 'etc/private': 'yes' } }))
      await expect(runtime.pull(image, pod('pull'))).rejects.toThrow(/401|authorization|denied/i)
      const wrong = { username: 'user', password: 'wrong' }
      await expect(runtime.pull(image, pod('pull'), [wrong])).rejects.toThrow(/./)
      const id = await runtime.pull(image, pod('pull'), [wrong, { username: 'user', password: 'secret' }])
      expect(await runtime.image(image)).toBe(id)
      const info = (await runtime.images()).find((found) => found.id === id)
      expect(info?.bytes).toBeGreaterThan(1_000_000)
      expect(info?.digests).toHaveLength(1)
      // Without the image of its sandboxes the node could start nothing.
      const pinned = (await runtime.images()).filter((found) => found.pinned)
      expect(pinned.map(({ names }) => names)).toEqual([['kedge.test/pause:1']])
      expect((await runtime.imageFsInfo())[0]?.path).toContain(containerd.dir)
    })

    test('says what its containers use', async () => {
      const id = await one(pod('stats'), {
        command: ['/bin/sh', '-c', 'dd if=/dev/zero of=/tmp/x bs=1M count=3; while :; do :; done'],
      })
      const used = await eventually(async () =>
        (await runtime.stats()).find((found) => found.id === id && found.cpuNanos > 1e6),
      )
      expect(used.memoryBytes).toBeGreaterThan(10_000)
    })
  },
)
