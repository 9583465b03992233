import { ContainerConfig as Container } from '@kedge/edgecore/pods/cri/api-container'
import { SandboxConfig } from '@kedge/edgecore/pods/cri/api-sandbox'
import { containerConfig } from '@kedge/edgecore/pods/cri/container-config'
import { sandboxConfig } from '@kedge/edgecore/pods/cri/sandbox-config'
import type { ContainerConfig, PodConfig } from '@kedge/edgecore/pods/runtime'
import { describe, expect, test } from 'vitest'

const pod: PodConfig = {
  ...{ namespace: 'default', name: 'web', uid: 'u', labels: { app: 'web' }, annotations: { note: 'yes' } },
  ...{ containers: [], graceMs: 30_000 },
}
const main: ContainerConfig = {
  ...{ name: 'main', kind: 'main', image: 'web:1', imageId: 'sha256:1', attempt: 4, backoffMs: 10_000 },
}
const node = { logRoot: '/var/log/pods', cgroupParent: undefined }

/** As the engine reads it. */
const sandbox = (change: Partial<PodConfig> = {}, attempt = 0, where: Parameters<typeof sandboxConfig>[2] = node) =>
  SandboxConfig.decode(SandboxConfig.encode(sandboxConfig({ ...pod, ...change }, attempt, where)))
const container = (change: Partial<ContainerConfig> = {}, of: Partial<PodConfig> = {}) =>
  Container.decode(Container.encode(containerConfig({ ...pod, ...of }, { ...main, ...change })))

describe('a sandbox', () => {
  test('is named, labelled and annotated', () => {
    const { metadata, labels, annotations, log_directory } = sandbox({ notes: { a: 'b' } }, 2)
    expect(metadata).toEqual({ namespace: 'default', name: 'web', uid: 'u', attempt: 2 })
    expect(labels).toEqual({
      app: 'web',
      'kedge.io/managed-by': 'edgecore',
      'io.kubernetes.pod.name': 'web',
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': 'u',
    })
    expect(annotations).toEqual({ note: 'yes', 'kedge.io/record': '{"graceMs":30000,"notes":{"a":"b"}}' })
    expect(log_directory).toBe('/var/log/pods/default_web_u')
  })

  test('of a pod that claims labels of ours has ours', () => {
    const labels = { 'io.kubernetes.pod.uid': 'other', 'kedge.io/managed-by': 'me' }
    expect(sandbox({ labels }).labels).toMatchObject({
      'io.kubernetes.pod.uid': 'u',
      'kedge.io/managed-by': 'edgecore',
    })
  })

  test.each([
    ['nothing said', {}, { network: 0, pid: 1, ipc: 0 }, 'web'],
    ['a host name', { hostname: 'sensor' }, { network: 0, pid: 1, ipc: 0 }, 'sensor'],
    ['shared processes', { shareProcessNamespace: true }, { network: 0, pid: 0, ipc: 0 }, 'web'],
    ["the node's", { hostNetwork: true, hostPID: true, hostIPC: true }, { network: 2, pid: 2, ipc: 2 }, ''],
  ])('has the namespaces of %s', (_, change, namespaces, hostname) => {
    const config = sandbox(change)
    expect(config.linux?.security_context?.namespace_options).toEqual(namespaces)
    expect(config.hostname).toBe(hostname)
    expect(container({}, change).linux?.security_context?.namespace_options).toEqual(namespaces)
  })

  test('has a resolver, ports, kernel settings, limits, users and a cgroup', () => {
    const dns = { servers: ['192.0.2.1'], searches: ['a.b'], options: ['ndots:5'] }
    const config = sandbox(
      {
        dns,
        portMappings: [{ protocol: 'UDP', containerPort: 53, hostPort: 5353, hostIP: '127.0.0.1' }],
        sysctls: { 'net.ipv4.tcp_syncookies': '0' },
        resources: { cpuShares: 512, memoryLimit: 1024 },
        security: { runAsUser: 1, runAsGroup: 2, supplementalGroups: [3], privileged: true, selinux: { level: 's0' } },
      },
      0,
      { ...node, cgroupParent: '/kedge' },
    )
    expect(config.dns_config).toEqual(dns)
    expect(config.port_mappings).toEqual([{ protocol: 1, container_port: 53, host_port: 5353, host_ip: '127.0.0.1' }])
    expect(config.linux).toMatchObject({ cgroup_parent: '/kedge', sysctls: { 'net.ipv4.tcp_syncookies': '0' } })
    expect(config.linux?.resources).toMatchObject({ cpu_shares: 512, memory_limit_in_bytes: 1024 })
    expect(config.linux?.security_context).toMatchObject({
      ...{ run_as_user: { value: 1 }, run_as_group: { value: 2 }, privileged: true },
      ...{ seccomp: { profile_type: 0 }, selinux_options: { level: 's0' } },
    })
  })

  test('with a group and no user is given none: engines refuse that', () => {
    expect(sandbox({ security: { runAsGroup: 2 } }).linux?.security_context?.run_as_group).toBeUndefined()
  })
})

describe('a container', () => {
  test('keeps what list gives back', () => {
    const { metadata, image, labels, annotations, log_path } = container({ hash: 'h', notes: { x: 'y' }, kind: 'init' })
    expect({ metadata, image, log_path }).toEqual({
      ...{
        metadata: { name: 'main', attempt: 4 },
        image: { image: 'sha256:1', annotations: {} },
        log_path: 'main/4.log',
      },
    })
    expect(labels).toMatchObject({ 'io.kubernetes.container.name': 'main', 'io.kubernetes.pod.uid': 'u' })
    expect(JSON.parse(annotations['kedge.io/record'] ?? '')).toEqual({
      ...{ kind: 'init', image: 'web:1', imageId: 'sha256:1', backoffMs: 10_000, hash: 'h', notes: { x: 'y' } },
    })
  })

  test('is told how to run, and nothing of its environment is kept', () => {
    const env = [{ name: 'PASSWORD', value: 'secret' }]
    const mounts = [{ hostPath: '/a', containerPath: '/b', readOnly: true, propagation: 'Bidirectional' as const }]
    const devices = [{ hostPath: '/dev/x', containerPath: '/dev/y', permissions: 'rw' }]
    const config = container({
      command: ['a'],
      args: ['b'],
      workingDir: '/c',
      env,
      mounts,
      devices,
      tty: true,
      stdin: true,
    })
    expect(config).toMatchObject({ command: ['a'], args: ['b'], working_dir: '/c', tty: true, stdin: true })
    expect(config.envs).toEqual([{ key: 'PASSWORD', value: 'secret' }])
    expect(config.mounts).toEqual([{ host_path: '/a', container_path: '/b', readonly: true, propagation: 2 }])
    expect(config.devices).toEqual([{ host_path: '/dev/x', container_path: '/dev/y', permissions: 'rw' }])
    expect(JSON.stringify(config.annotations)).not.toContain('secret')
  })

  test('is unconfined by seccomp and masked unless told otherwise, as with Kubernetes', () => {
    const { security_context } = container().linux ?? {}
    expect(security_context?.seccomp).toEqual({ profile_type: 1, localhost_ref: '' })
    expect(security_context?.masked_paths).toContain('/proc/kcore')
    expect(security_context?.readonly_paths).toContain('/proc/sys')
    expect(security_context?.run_as_user).toBeUndefined()
  })

  test.each([{ privileged: true }, { procMount: 'Unmasked' as const }])('with %o sees all of /proc', (security) => {
    expect(container({ security }).linux?.security_context).toMatchObject({ masked_paths: [], readonly_paths: [] })
  })

  test('is held to its rights and limits', () => {
    const { security_context, resources } =
      container({
        security: {
          ...{ runAsUser: 0, runAsGroup: 5, supplementalGroups: [6], readOnlyRootFilesystem: true, noNewPrivs: true },
          ...{ addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
          seccomp: { type: 'Localhost', path: '/p.json' },
          apparmor: { type: 'Localhost', path: 'profile' },
        },
        resources: { cpuShares: 2, cpuQuota: 5000, cpuPeriod: 100_000, memoryLimit: 2 ** 33, oomScoreAdj: -997 },
      }).linux ?? {}
    expect(security_context).toMatchObject({
      ...{ run_as_user: { value: 0 }, run_as_group: { value: 5 }, readonly_rootfs: true, no_new_privs: true },
      capabilities: { add_capabilities: ['NET_ADMIN'], drop_capabilities: ['ALL'] },
      seccomp: { profile_type: 2, localhost_ref: '/p.json' },
      apparmor: { profile_type: 2, localhost_ref: 'profile' },
    })
    expect(resources).toMatchObject({
      cpu_shares: 2,
      cpu_quota: 5000,
      memory_limit_in_bytes: 2 ** 33,
      oom_score_adj: -997,
    })
  })
})
