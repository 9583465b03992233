import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

const memory = '/dev/shm'
/** A full run needs some hundred megabytes. */
const enough = 2 * 2 ** 30

/**
 * Puts what `tmpdir()` names into memory where there is room, for this process and those that it starts: what a test kills
 * is a process, never the disk, so to wait for one proves nothing. Returns what takes it away again.
 */
export function foldersInMemory(): () => void {
  if (process.env.TMPDIR !== undefined || !isFit()) return () => {}
  const dir = mkdtempSync(join(memory, 'kedge-test-'))
  process.env.TMPDIR = dir
  return () => {
    try {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    } catch {
      // What a test that failed has left mounted there says nothing about the others.
    }
  }
}

/** A file system in memory with room, on which programs and containers run. */
function isFit(): boolean {
  try {
    const line = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((one) => one.split(' '))
      .find(([, on]) => on === memory)
    const { bavail, bsize } = statfsSync(memory)
    return line?.[2] === 'tmpfs' && !/\b(ro|noexec|nodev|nosuid)\b/.test(line[3] ?? '') && bavail * bsize > enough
  } catch {
    return false
  }
}
