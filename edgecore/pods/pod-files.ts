import { chmod, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Setup } from './container-setup.ts'
import { bind, mountPoints, unmount } from './mount-table.ts'
import type { Mounts } from './mounts.ts'
import { hostnameOf, hostsFile } from './network-names.ts'
import type { Mount } from './runtime.ts'
import type { WantedContainer, WantedSpec } from './spec.ts'
import { StepFault } from './step-fault.ts'
import { openInside, resolveSubPath } from './sub-paths.ts'
import { orUndefined } from './volume-writer.ts'
import type { PodVolumes } from './volumes.ts'

/** So many containers of one name may still be asked for their last words. */
const keptAttempts = 3

export interface FilesInput {
  spec: WantedSpec
  container: WantedContainer
  attempt: number
  volumes: PodVolumes
  wishes: Setup['mounts']
  /** Addresses of the pod. */
  ips: readonly string[]
}

/** Everything of the node that a container finds in its file system. Rejects with a `StepFault`. */
export async function mountsFor(mounts: Mounts, input: FilesInput): Promise<Mount[]> {
  const { spec, container, attempt, wishes } = input
  const { uid } = spec.config
  const out: Mount[] = []
  for (const [index, wish] of wishes.entries()) {
    const fault = (cause: unknown) => {
      const message = `failed to prepare volumeMount "${wish.name}" of container "${container.name}"`
      throw new StepFault('CreateContainerConfigError', message, { cause })
    }
    out.push(await mountFor(mounts, wish, { ...input, index }).catch(fault))
  }
  const has = (path: string) => out.some(({ containerPath }) => containerPath === path)
  if (!has('/etc/hosts')) {
    out.push({ hostPath: await writeHosts(mounts, input), containerPath: '/etc/hosts' })
  }
  const last = container.of.terminationMessagePath
  if (last !== '' && !has(last)) {
    const path = terminationFile(mounts, uid, { name: container.name, attempt })
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, '')
    // Whoever the container runs as writes here.
    await chmod(path, 0o666)
    out.push({ hostPath: path, containerPath: last })
    // Of each name the engine keeps the newest containers only, and who crashes for years is not to fill the disk.
    await rm(terminationFile(mounts, uid, { name: container.name, attempt: attempt - keptAttempts }), { force: true })
  }
  return out
}

async function mountFor(
  mounts: Mounts,
  { name, mountPath, readOnly, mountPropagation, subPath }: Setup['mounts'][number],
  { spec, container, volumes, index }: FilesInput & { index: number },
): Promise<Mount> {
  const content = volumes.contents.get(name)
  if (content === undefined) throw new Error(`the pod has no volume ${name}`)
  const { uid } = spec.config
  const source = mounts.source(uid, name, content)
  const hostPath =
    subPath === ''
      ? source
      : await pinned(source, subPath, {
          // What no container writes cannot be swapped under the path.
          fixed: content.is === 'files',
          at: join(mounts.folder(uid), 'volume-subpaths', name, container.name, String(index)),
        })
  return {
    hostPath,
    containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`,
    ...((readOnly || content.is === 'files') && { readOnly: true }),
    ...(mountPropagation !== 'None' && { propagation: mountPropagation }),
  }
}

/** A path within a volume that stays what it is now, whatever the pod does to the names on the way to it. */
async function pinned(source: string, subPath: string, { fixed, at }: { fixed: boolean; at: string }): Promise<string> {
  const path = await resolveSubPath(source, subPath, { make: !fixed })
  if (fixed || process.getuid?.() !== 0) return path
  const handle = await openInside(await resolveSubPath(source, '.'), path)
  try {
    const isFolder = (await handle.stat()).isDirectory()
    await mkdir(isFolder ? at : dirname(at), { recursive: true })
    if (!isFolder) await (await open(at, 'a')).close()
    // What an earlier container was given is still its own.
    if ((await mountPoints()).includes(at)) await unmount(at)
    await bind(`/proc/${process.pid}/fd/${handle.fd}`, at)
  } finally {
    await handle.close()
  }
  return at
}

async function writeHosts(mounts: Mounts, { spec, ips }: FilesInput): Promise<string> {
  const { namespace, name, uid } = spec.config
  const host = hostnameOf({ namespace, name }, spec.of)
  if ('fault' in host) throw new StepFault('CreateContainerConfigError', host.fault)
  const path = join(mounts.folder(uid), 'etc-hosts')
  const hostFile = spec.hostNetwork ? await readFile('/etc/hosts', 'utf8').catch(orUndefined) : undefined
  const text = hostsFile(host, {
    ...{ ips, aliases: spec.of.hostAliases },
    ...(spec.hostNetwork && { hostFile: hostFile ?? '' }),
  })
  await mkdir(dirname(path), { recursive: true })
  // In place: containers that run hold this very file.
  await writeFile(path, text)
  await chmod(path, 0o644)
  return path
}

export function terminationFile(
  mounts: Mounts,
  uid: string,
  { name, attempt }: { name: string; attempt: number },
): string {
  return join(mounts.folder(uid), 'containers', name, `${attempt}.message`)
}
