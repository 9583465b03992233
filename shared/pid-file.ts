import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, UserError } from './errors.ts'

/**
 * A file that names the process which owns a folder: its pid, and when that process began. A pid alone says little: after
 * a crash or a reboot another process may have it.
 */
export interface PidFile {
  /** Removes the file; safe to call twice. */
  release(): void
}

/**
 * Takes `path` for this process. Throws a UserError when a living process holds it: two programs over one folder would
 * undo each other's work. `what` names the folder's use for that message.
 */
export function holdPidFile(path: string, what: string): PidFile {
  mkdirSync(dirname(path), { recursive: true })
  const mine = `${process.pid}\n${birthOf(process.pid) ?? ''}\n`
  for (let attempt = 0; !claim(path, mine); attempt++) {
    const holder = runningPid(path)
    if (holder !== undefined && holder !== process.pid) {
      throw new UserError(
        `${what} is in use by process ${holder} (${path}): stop that one first, or choose another folder`,
      )
    }
    if (attempt === 3) throw new Error(`take ${path}: it comes back as often as it is removed`)
    rmSync(path, { force: true })
  }
  return { release: () => remove(path) }
}

/** One that stays behind, on a disk that takes no write any more, names a process that has ended. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    if (codeOf(error) !== 'EROFS' && codeOf(error) !== 'EIO') throw error
  }
}

/** Creates the file, unless there is one. */
function claim(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw new Error(`write ${path}`, { cause: error })
  }
}

/** The pid of the living process that holds `path`, or undefined: no file, or what wrote it has ended. */
export function runningPid(path: string): number | undefined {
  const [pidText, birth = ''] = readOr(path, '').split('\n')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined
  return birth === '' || birthOf(pid) === birth ? pid : undefined
}

/** Whether there is a process of this pid, a zombie aside. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
  return statOf(pid)?.[0] !== 'Z'
}

/** When a process began, as text that no other process of the pid has had; undefined where there is no /proc. */
function birthOf(pid: number): string | undefined {
  const began = statOf(pid)?.[19]
  return began === undefined ? undefined : `${began}@${readOr('/proc/sys/kernel/random/boot_id', '').trim()}`
}

/** The fields of /proc/<pid>/stat from the third on (proc(5)); the second, the command, may hold any character. */
function statOf(pid: number): string[] | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '')
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
