import { readFileSync } from 'node:fs'
import { readFile, stat, statfs } from 'node:fs/promises'
import {
  availableParallelism,
  freemem,
  type NetworkInterfaceInfo,
  networkInterfaces,
  release,
  totalmem,
  type,
} from 'node:os'

/** What there is to know of this machine. Sizes in bytes. */
export interface NodeFacts {
  cpus: number
  memory: { total: number; available: number }
  disk: { total: number; available: number; inodes: number; inodesFree: number }
  /** Where the engine keeps its images, if that is another disk. */
  imageDisk?: { total: number; available: number }
  /** Processes and threads, and how many there can be; undefined where the system does not tell. */
  pids?: { used: number; max: number }
  kernelVersion: string
  osImage: string
  machineId: string
  bootId: string
  systemUuid: string
  address: string
}

/** Reads the facts; `dataDir` says which file system counts. What cannot be read is empty, except the file system. */
export async function readNodeFacts(dataDir: string): Promise<NodeFacts> {
  const [disk, meminfo, osRelease, machineId, systemUuid, pids] = await Promise.all([
    // On a read-only disk the folder may never have been made.
    statfs(dataDir).catch(() => statfs('/')),
    read('/proc/meminfo'),
    read('/etc/os-release'),
    read('/etc/machine-id'),
    read('/sys/class/dmi/id/product_uuid'),
    readPids(),
  ])
  return {
    cpus: availableParallelism(),
    memory: { total: totalmem(), available: availableOf(meminfo) ?? freemem() },
    disk: {
      total: disk.blocks * disk.bsize,
      available: disk.bavail * disk.bsize,
      inodes: disk.files,
      inodesFree: disk.ffree,
    },
    ...(pids && { pids }),
    kernelVersion: release(),
    osImage: osImageOf(osRelease) ?? `${type()} ${release()}`,
    machineId,
    bootId: bootId(),
    systemUuid: systemUuid || machineId,
    address: internalIP(),
  }
}

/** The room where the first of these paths lies, if that is another file system than that of `dataDir`. */
export async function otherDisk(
  paths: readonly string[],
  dataDir: string,
): Promise<{ total: number; available: number } | undefined> {
  const [path] = paths
  if (path === undefined) return undefined
  const [own, other] = await Promise.all([stat(dataDir), stat(path)])
  if (own.dev === other.dev) return undefined
  const { blocks, bavail, bsize } = await statfs(path)
  return { total: blocks * bsize, available: bavail * bsize }
}

/** Names this boot of the machine; empty where the system does not tell. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** The address of this machine, as `nodeAddress` chooses it. */
export function internalIP(): string {
  return nodeAddress(networkInterfaces())
}

/** The first IPv4 address that others can reach, or the loopback's. */
export function nodeAddress(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string {
  const all = Object.values(interfaces).flatMap((infos) => infos ?? [])
  // 169.254/16 is what a machine gives itself when nobody gave it an address.
  const found = all.find(
    ({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'),
  )
  return found?.address ?? '127.0.0.1'
}

/** `MemAvailable` of /proc/meminfo: what can be had without swapping, unlike the free memory. */
export function availableOf(meminfo: string): number | undefined {
  const [, kib] = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo) ?? []
  return kib === undefined ? undefined : Number(kib) * 1024
}

/** The name that a system gives itself in /etc/os-release. */
export function osImageOf(osRelease: string): string | undefined {
  const [, name] = /^PRETTY_NAME=(?:"(.*)"|(.*))$/m.exec(osRelease)?.filter((part) => part !== undefined) ?? []
  return name
}

async function readPids(): Promise<{ used: number; max: number } | undefined> {
  const [loadavg, pidMax, threadsMax] = await Promise.all([
    read('/proc/loadavg'),
    read('/proc/sys/kernel/pid_max'),
    read('/proc/sys/kernel/threads-max'),
  ])
  const [, used] = /\d+\/(\d+)/.exec(loadavg) ?? []
  const max = Math.min(Number(pidMax), Number(threadsMax))
  return used === undefined || !(max > 0) ? undefined : { used: Number(used), max }
}

async function read(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim()
}
