import type { ContainerConfig, ContainerRecord, ContainerSecurity, PodConfig } from '../runtime.ts'
import { type ContainerConfig as CriContainerConfig, propagation } from './api-container.ts'
import { labels, logPath, podLabels, recordAnnotation } from './names.ts'
import { linuxResources, namespaces, profile } from './sandbox-config.ts'

/** What of /proc and /sys a container does not see, and what it cannot change: kubelet's lists. */
const maskedPaths = [
  ...['asound', 'acpi', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats'].map(inProc),
  ...['sched_debug', 'scsi'].map(inProc),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
const readonlyPaths = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map(inProc)

function inProc(name: string): string {
  return `/proc/${name}`
}

/** A container as the CRI is told. */
export function containerConfig(pod: PodConfig, container: ContainerConfig): CriContainerConfig {
  const { name, attempt, imageId, command = [], args = [], workingDir = '', env = [], mounts = [] } = container
  return {
    metadata: { name, attempt },
    // By its id: a name could have moved on to another image by now.
    image: { image: imageId },
    command,
    args,
    working_dir: workingDir,
    envs: env.map((one) => ({ key: one.name, value: one.value })),
    mounts: mounts.map((one) => ({
      host_path: one.hostPath,
      container_path: one.containerPath,
      readonly: one.readOnly ?? false,
      propagation: propagation[one.propagation ?? 'None'],
    })),
    devices: (container.devices ?? []).map(({ hostPath, containerPath, permissions }) => ({
      host_path: hostPath,
      container_path: containerPath,
      permissions,
    })),
    labels: { ...podLabels(pod), [labels.containerName]: name },
    annotations: { [recordAnnotation]: JSON.stringify(kept(container)) },
    log_path: logPath(container),
    stdin: container.stdin ?? false,
    stdin_once: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    linux: {
      resources: linuxResources(container.resources ?? {}),
      security_context: containerSecurity(pod, container.security ?? {}),
    },
  }
}

/** Name and attempt are in the metadata. */
function kept({ kind, image, imageId, backoffMs, hash, notes }: ContainerRecord) {
  return { kind, image, imageId, backoffMs, hash, notes }
}

function containerSecurity(pod: PodConfig, security: ContainerSecurity) {
  const { runAsUser, runAsGroup, seccomp, apparmor, selinux, privileged = false } = security
  const masks = security.procMount !== 'Unmasked' && !privileged
  return {
    capabilities: {
      add_capabilities: security.addCapabilities ?? [],
      drop_capabilities: security.dropCapabilities ?? [],
    },
    privileged,
    namespace_options: namespaces(pod),
    readonly_rootfs: security.readOnlyRootFilesystem ?? false,
    supplemental_groups: security.supplementalGroups ?? [],
    no_new_privs: security.noNewPrivs ?? false,
    masked_paths: masks ? maskedPaths : [],
    readonly_paths: masks ? readonlyPaths : [],
    ...(runAsUser !== undefined && { run_as_user: { value: runAsUser } }),
    ...(runAsGroup !== undefined && { run_as_group: { value: runAsGroup } }),
    // What Kubernetes does unless told otherwise.
    seccomp: profile(seccomp ?? { type: 'Unconfined' }),
    ...(apparmor && { apparmor: profile(apparmor) }),
    ...(selinux && { selinux_options: selinux }),
  }
}
