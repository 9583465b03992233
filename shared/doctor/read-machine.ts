import { execFile } from 'node:child_process'
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { explain } from '../errors.ts'
import { isAlive } from '../pid-file.ts'
import type { DiskFacts, LimitFacts, MemoryFacts, PortFacts } from './judge-machine.ts'
import { isInTheWay, type Listener, listenersIn } from './listening.ts'

/** The facts of this machine, by nothing that changes it but a small file of `syncTimes`. Each may throw. */

export function readMemory(): MemoryFacts {
  const text = readFileSync('/proc/meminfo', 'utf8')
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024
  return { available: of('MemAvailable'), total: of('MemTotal'), swapFree: of('SwapFree') }
}

/** Of the file system of `folder`, or of the nearest folder above that is there. */
export function readDisk(folder: string): DiskFacts {
  try {
    const { bavail, blocks, bsize, ffree, files } = statfsSync(folder)
    return { folder, free: bavail * bsize, total: blocks * bsize, inodesFree: ffree, inodes: files }
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT' || dirname(folder) === folder) throw error
    return readDisk(dirname(folder))
  }
}

/** How long 4 KiB take to be on disk in `folder`, milliseconds, a few times; or why that was not tried. */
export function syncTimes(folder: string, signal: AbortSignal): number[] | string {
  const path = join(folder, `.doctor-${process.pid}`)
  const times: number[] = []
  try {
    const file = openSync(path, 'wx', 0o600)
    try {
      const bytes = Buffer.alloc(4096, 'kedge')
      const end = performance.now() + 3000
      for (let tries = 0; tries < 8 && !signal.aborted && performance.now() < end; tries++) {
        const before = performance.now()
        writeSync(file, bytes)
        fsyncSync(file)
        times.push(performance.now() - before)
      }
    } finally {
      closeSync(file)
      rmSync(path, { force: true })
    }
    return times
  } catch (error) {
    return explain(error)
  }
}

/** Whether the system says that its clock is set by somebody; undefined when it says nothing. */
export async function readSynchronised(signal: AbortSignal): Promise<boolean | undefined> {
  const said = await output('timedatectl', ['show', '-p', 'NTPSynchronized', '--value'], signal).catch(() => '')
  return { yes: true, no: false }[said.trim()]
}

/** Who holds a port; `pid` is the program that is looked at. */
export function readPort(host: string, port: number, pid: number | undefined): PortFacts {
  const texts = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  })
  const there = texts.flatMap(listenersIn).filter((one) => one.port === port && isInTheWay(one, host))
  const facts = { host, port, running: pid !== undefined }
  if (there.length === 0) return { ...facts, held: 'free' }
  if (pid !== undefined && holds(pid, there) !== false) return { ...facts, held: 'ours' }
  return { ...facts, held: { by: holderOf(there) } }
}

/** Whether a process has one of these sockets; undefined when its files may not be looked at. */
function holds(pid: number, sockets: readonly Listener[]): boolean | undefined {
  const links = new Set(sockets.map(({ inode }) => `socket:[${inode}]`))
  let files: string[]
  try {
    files = readdirSync(`/proc/${pid}/fd`)
  } catch {
    return undefined
  }
  return files.some((file) => {
    try {
      return links.has(readlinkSync(`/proc/${pid}/fd/${file}`))
    } catch {
      return false
    }
  })
}

function holderOf(sockets: readonly Listener[]): string {
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || !isAlive(pid) || holds(pid, sockets) !== true) continue
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`
  }
  return 'another process, which root can name'
}

/** What systemd says of a unit; empty where there is none. */
export async function readUnit(unit: string, signal: AbortSignal): Promise<Record<string, string>> {
  const names = 'LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result'
  const said = await output('systemctl', ['show', unit, '-p', names], signal).catch(() => '')
  return Object.fromEntries(
    said
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

/** The limits of a process, or of this one. */
export function readLimits(pid: number | undefined): LimitFacts {
  const number = (path: string) => Number(readFileSync(path, 'utf8').trim())
  const text = limitsText(pid)
  const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(text) ?? []
  return {
    files: soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft),
    allFiles: number('/proc/sys/fs/file-max'),
    watches: number('/proc/sys/fs/inotify/max_user_instances'),
  }
}

function limitsText(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid ?? 'self'}/limits`, 'utf8')
  } catch {
    return readFileSync('/proc/self/limits', 'utf8')
  }
}

/** What a program prints; rejects when it cannot be run or fails. */
export function output(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { signal, maxBuffer: 64 * 1024 * 1024 }, (error, out) =>
      error ? reject(error) : resolve(out),
    )
  })
}
