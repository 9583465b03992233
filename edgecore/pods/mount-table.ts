import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where file systems are mounted on this machine, in the order in which they were. */
export async function mountPoints(): Promise<string[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'))
}

/** The mount points of a `mountinfo` of the kernel (proc(5)), which writes odd characters in octal. */
export function parseMountInfo(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const point = line.split(' ')[4]
    if (point === undefined) return []
    return [point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))]
  })
}

/** Mounts a file system in memory. `bytes`: the most that it takes. */
export async function mountMemory(folder: string, { mode, bytes }: { mode: string; bytes?: number }): Promise<void> {
  const options = [`mode=${mode}`, 'nosuid', 'nodev', ...(bytes === undefined ? [] : [`size=${bytes}`])]
  await run('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', folder])
}

/** Makes what `source` names appear at `target`, too. A `source` below `/proc/…/fd` is not followed by name. */
export async function bind(source: string, target: string): Promise<void> {
  await run('mount', ['--no-canonicalize', '--bind', source, target])
}

/** Takes a mount away; what is still in use goes once it is not. */
export async function unmount(point: string): Promise<void> {
  await run('umount', ['-l', '--', point])
}
