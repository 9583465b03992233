import { fail, ok, skip, type Verdict, warn } from './check.ts'

/** Judgements on what every machine has. Pure. */

/** `version` as in `process.versions.node`; `bits` of a pointer. */
export function judgeNode({
  version,
  arch,
  loads,
}: {
  version: string
  arch: string
  loads?: string | undefined
}): Verdict {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const what = `Node.js ${version} on ${arch}`
  if (loads !== undefined) {
    const todo = 'install Kedge again with the Node.js that runs it: npm ci, or the archive for this kind of machine'
    return fail(`${what} does not load the library for SQLite: ${loads}`, todo)
  }
  if (major < 20 || (major === 20 && minor < 19))
    return fail(`${what} is too old`, 'install Node.js 22 or 24, at least 20.19')
  if (major % 2 === 1)
    return warn(`${what} is not one of the lines that Kedge is tested with`, 'install Node.js 22 or 24')
  return ok(what)
}

export interface MemoryFacts {
  /** Bytes. */
  available: number
  total: number
  swapFree: number
}

const MiB = 1024 * 1024

/** `needs`: bytes that the program wants to have. */
export function judgeMemory({ available, total, swapFree }: MemoryFacts, needs: number): Verdict {
  const found = `${mib(available)} of ${mib(total)} available${swapFree > 0 ? `, ${mib(swapFree)} of swap` : ''}`
  if (available + swapFree < needs) return fail(found, `end what is not needed: ${mib(needs)} should be there`)
  if (available < 2 * needs) return warn(found, 'there is little room for pods; see what takes it: ps --sort=-rss aux')
  return ok(found)
}

export interface DiskFacts {
  folder: string
  /** Bytes that a user may still write, and all there are. */
  free: number
  total: number
  /** Of inodes; both 0 on a file system that counts none. */
  inodesFree: number
  inodes: number
}

/** Space and inodes of a file system. */
export function judgeDisk({ folder, free, total, inodesFree, inodes }: DiskFacts): Verdict[] {
  const space = `${mib(free)} of ${mib(total)} free at ${folder}`
  const room = `make room: what lies in /var/log, images that no pod uses, journalctl --vacuum-size=50M`
  const verdicts = [
    free < 64 * MiB ? fail(space, room) : free < Math.max(256 * MiB, total * 0.05) ? warn(space, room) : ok(space),
  ]
  const share = inodes === 0 ? 1 : inodesFree / inodes
  if (share < 0.05) {
    const found = `${inodesFree} of ${inodes} inodes free at ${folder}`
    const todo = `remove files: df -i ${folder}, then look for folders with very many of them`
    verdicts.push(share < 0.005 ? fail(found, todo) : warn(found, todo))
  }
  return verdicts
}

/** How long it takes until something written is on disk, milliseconds, of several tries; undefined where none may write. */
export function judgeSync(tries: readonly number[] | string): Verdict {
  if (typeof tries === 'string') return skip(`not tried: ${tries}`)
  const sorted = [...tries].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  const worst = sorted.at(-1) ?? 0
  const found = `a write is on disk after ${median.toFixed(1)} ms, ${worst.toFixed(1)} ms at worst`
  const todo =
    'a card that is worn out does this, and so does another program that writes much; iostat -x 1 shows which'
  if (median > 2000) return fail(found, todo)
  return median > 200 ? warn(found, todo) : ok(found)
}

export interface ClockFacts {
  /** Milliseconds since the epoch. */
  now: number
  /** Nothing of Kedge is older. */
  released: number
  /** Whether the system says that its clock is synchronised; undefined when it says nothing. */
  synchronised: boolean | undefined
}

export function judgeClock({ now, released, synchronised }: ClockFacts): Verdict {
  const time = new Date(now).toISOString()
  const todo = 'turn on timedatectl set-ntp true, or set it: date -s'
  if (now < released) return fail(`it is ${time} here, which is before Kedge was written`, todo)
  if (now > released + 30 * 365 * 86_400_000) return fail(`it is ${time} here, which cannot be`, todo)
  if (synchronised === false) return warn(`it is ${time} here, and nobody sets the clock`, todo)
  return ok(`it is ${time} here${synchronised ? ', set by a time server' : ''}`)
}

export interface PortFacts {
  host: string
  port: number
  /** Who listens there: nobody, the program that is looked at, or somebody else, by name where that is known. */
  held: 'free' | 'ours' | { by: string }
  /** Whether the program runs. */
  running: boolean
}

/** `flag`: how another port is chosen. */
export function judgePort({ host, port, held, running }: PortFacts, flag: string): Verdict {
  const where = `${host}:${port}`
  if (held === 'ours') return ok(`${where} is ours`)
  if (held !== 'free')
    return fail(`${where} is taken by ${held.by}`, `end that one, or choose another port with ${flag}`)
  return running ? warn(`nobody listens on ${where}, though it runs`, 'see its log') : ok(`${where} is free`)
}

export interface UnitFacts {
  /** What `systemctl show` says, by name; empty when there is no systemd. */
  properties: Readonly<Record<string, string>>
  unit: string
  running: boolean
}

export function judgeUnit({ properties, unit, running }: UnitFacts): Verdict {
  const { LoadState, ActiveState = '', SubState = '', UnitFileState = '', NRestarts = '0', Result = '' } = properties
  if (LoadState === undefined) return skip('there is no systemd here')
  if (LoadState !== 'loaded') {
    return running
      ? skip(`there is no unit ${unit}, it runs without`)
      : skip(`there is no unit ${unit}`, 'the archive installs one: setup.sh install')
  }
  const found = `${unit} is ${ActiveState} (${SubState}), ${UnitFileState || 'unknown'}, ${NRestarts} restarts`
  const log = `journalctl -u ${unit} says why`
  if (ActiveState === 'failed') return fail(`${found}, ${Result}`, log)
  if (Number(NRestarts) > 5) return warn(found, log)
  if (UnitFileState !== 'enabled') return warn(found, `systemctl enable ${unit} has it start with the machine`)
  return ActiveState === 'active' ? ok(found) : warn(found, `systemctl start ${unit}`)
}

export interface LimitFacts {
  /** Files that the program may have open. */
  files: number
  /** /proc/sys/fs/file-max, the whole machine's. */
  allFiles: number
  /** File systems watches that one user may have; undefined where there is no such limit to read. */
  watches: number | undefined
}

export function judgeLimits({ files, allFiles, watches }: LimitFacts, needs: number): Verdict {
  const found = `${files} open files${watches === undefined ? '' : `, ${watches} inotify instances`}`
  if (files < needs) return fail(found, `allow ${needs} open files: LimitNOFILE=${needs} in the unit, or ulimit -n`)
  if (allFiles < 4096) return warn(`${allFiles} open files for the whole machine`, 'sysctl fs.file-max=65536')
  if (watches !== undefined && watches < 128) return warn(found, 'sysctl fs.inotify.max_user_instances=512')
  return ok(found)
}

/** `bytes` in MiB or GiB. */
export function mib(bytes: number): string {
  const count = bytes / MiB
  return count >= 10_240 ? `${(count / 1024).toFixed(1)} GiB` : `${Math.round(count)} MiB`
}
