import type { ContainerSpec, Profile } from './container-schema.ts'
import type { PodSecurityContext, PodSpec } from './pod-schema.ts'
import type { ContainerSecurity, ImageInfo, PodSecurity, SecurityProfile } from './runtime.ts'

const apparmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'

/** The older way to name a container's AppArmor profile, which API servers before Kubernetes 1.30 leave as it is. */
export function apparmorOf(annotations: Record<string, string>, container: string): Profile | undefined {
  const text = annotations[apparmorAnnotation + container]
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  if (text === 'unconfined') return { type: 'Unconfined' }
  const [, localhostProfile] = /^localhost\/(.+)$/.exec(text ?? '') ?? []
  return localhostProfile === undefined ? undefined : { type: 'Localhost', localhostProfile }
}

/** Where local seccomp profiles lie, as kubelet has it. */
const seccompRoot = '/var/lib/kubelet/seccomp'

/** The rights of a container: what it says itself goes before what its pod says. */
export function containerSecurity({ securityContext: own }: ContainerSpec, pod: PodSecurityContext): ContainerSecurity {
  const { runAsUser = pod.runAsUser, runAsGroup = pod.runAsGroup } = own
  const groups = groupsOf(pod)
  const { add, drop } = own.capabilities
  const seccomp = own.seccompProfile ?? pod.seccompProfile
  const apparmor = own.appArmorProfile ?? pod.appArmorProfile
  const selinux = own.seLinuxOptions ?? pod.seLinuxOptions
  return {
    ...(own.privileged && { privileged: true }),
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsGroup !== undefined && { runAsGroup }),
    ...(groups.length > 0 && { supplementalGroups: groups }),
    ...(own.readOnlyRootFilesystem && { readOnlyRootFilesystem: true }),
    ...(add.length > 0 && { addCapabilities: add.map(bare) }),
    ...(drop.length > 0 && { dropCapabilities: drop.map(bare) }),
    ...(own.allowPrivilegeEscalation === false && { noNewPrivs: true }),
    ...(seccomp && { seccomp: seccompOf(seccomp) }),
    ...(apparmor && { apparmor: profileOf(apparmor, '') }),
    ...(selinux && { selinux: defined(selinux) }),
    ...(own.procMount === 'Unmasked' && { procMount: 'Unmasked' as const }),
  }
}

/** The rights of what holds the containers together. */
export function sandboxSecurity({ securityContext: pod, containers, initContainers }: PodSpec): PodSecurity {
  const privileged = [...initContainers, ...containers].some((one) => one.securityContext.privileged)
  const groups = groupsOf(pod)
  const { runAsUser, runAsGroup } = pod
  return {
    ...(privileged && { privileged }),
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsGroup !== undefined && { runAsGroup }),
    ...(groups.length > 0 && { supplementalGroups: groups }),
    ...(pod.seccompProfile && { seccomp: seccompOf(pod.seccompProfile) }),
    ...(pod.seLinuxOptions && { selinux: defined(pod.seLinuxOptions) }),
  }
}

/**
 * Why a container that must not run as root may not start, or undefined. `imageUser` is who the image wants to run as;
 * `where` names the container for the message.
 */
export function rootFault(
  { securityContext: own }: ContainerSpec,
  pod: PodSecurityContext,
  { imageUser, where }: { imageUser: ImageInfo['user']; where: string },
): string | undefined {
  const { runAsNonRoot = pod.runAsNonRoot, runAsUser = pod.runAsUser } = own
  if (!runAsNonRoot) return undefined
  if (runAsUser !== undefined) {
    return runAsUser === 0 ? `container's runAsUser breaks non-root policy (${where})` : undefined
  }
  if (imageUser !== undefined && 'name' in imageUser) {
    return `container has runAsNonRoot and image has non-numeric user (${imageUser.name}), cannot verify user is non-root (${where})`
  }
  if ((imageUser?.uid ?? 0) === 0) return `container has runAsNonRoot and image will run as root (${where})`
  return undefined
}

/** Whether only the image can say whether a container runs as root. */
export function dependsOnImageUser({ securityContext: own }: ContainerSpec, pod: PodSecurityContext): boolean {
  return (own.runAsNonRoot ?? pod.runAsNonRoot) === true && (own.runAsUser ?? pod.runAsUser) === undefined
}

function groupsOf({ supplementalGroups, fsGroup }: PodSecurityContext): number[] {
  return [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])]
}

function bare(capability: string): string {
  return capability.replace(/^CAP_/i, '').toUpperCase()
}

function seccompOf(profile: Profile): SecurityProfile {
  return profileOf(profile, `${seccompRoot}/`)
}

function profileOf({ type, localhostProfile = '' }: Profile, root: string): SecurityProfile {
  return type === 'Localhost' ? { type, path: root + localhostProfile } : { type }
}

function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
