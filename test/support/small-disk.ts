import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '@kedge/shared/errors'
import { onTestFinished } from 'vitest'
import type { WhenOver } from './temp-dir.ts'

/** Whether this process may mount file systems: it is root, and not in a container that forbids it. */
export function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-mount-'))
  try {
    mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir)
    execFileSync('umount', [dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmdirSync(dir)
  }
}

/** A file system of its own over `dir`, in memory, that can fill up and be made read-only; gone when it is over. */
export class SmallDisk {
  readonly dir: string

  constructor(dir: string, size: string, whenOver: WhenOver = onTestFinished) {
    this.dir = dir
    mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir)
    // Lazily: what still has a file open there does not keep it.
    whenOver(() => void execFileSync('umount', ['-l', dir], { stdio: 'ignore' }))
  }

  /** Leaves no byte free. */
  fill(): void {
    const file = openSync(join(this.dir, 'ballast'), 'a')
    const chunk = Buffer.alloc(4096, 1)
    try {
      for (;;) writeSync(file, chunk)
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
  }

  clear(): void {
    rmSync(join(this.dir, 'ballast'))
  }

  /** Only while nothing has a file open for writing there. */
  readOnly(): void {
    mount('-o', 'remount,ro', this.dir)
  }

  writable(): void {
    mount('-o', 'remount,rw', this.dir)
  }
}

/** Lets no file of a process grow beyond `bytes`; `unlimited` ends that. */
export function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], { stdio: 'ignore' })
}

/** Cuts a file down to `bytes`. */
export function truncate(path: string, bytes: number): void {
  const file = openSync(path, 'r+')
  ftruncateSync(file, bytes)
  closeSync(file)
}

function mount(...argv: string[]): void {
  execFileSync('mount', argv, { stdio: 'ignore' })
}
