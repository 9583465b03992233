import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { holdPidFile, isAlive, runningPid } from '@kedge/shared/pid-file'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../support/temp-dir.ts'

/** A process that holds a pid file until it is killed. */
async function holder(path: string): Promise<{ pid: number; kill(): Promise<void> }> {
  const module = new URL('../../../shared/pid-file.ts', import.meta.url)
  const code = `import { holdPidFile } from ${JSON.stringify(module.href)}
    holdPidFile(${JSON.stringify(path)}, 'the folder'); console.log('held'); setInterval(() => {}, 1000)`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  await once(child.stdout, 'data')
  return { pid: child.pid ?? 0, kill }
}

test('names this process, until it is released', () => {
  const path = join(tempDir(), 'made/for/it/x.pid')
  const held = holdPidFile(path, 'the folder')
  expect(runningPid(path)).toBe(process.pid)
  expect(readFileSync(path, 'utf8').split('\n')[0]).toBe(String(process.pid))
  held.release()
  held.release()
  expect(existsSync(path)).toBe(false)
  expect(runningPid(path)).toBeUndefined()
})

test('is refused while another process holds it, and taken over after that was killed', async () => {
  const path = join(tempDir(), 'x.pid')
  const other = await holder(path)
  expect(runningPid(path)).toBe(other.pid)
  expect(() => holdPidFile(path, 'the folder')).toThrow(`the folder is in use by process ${other.pid} (${path})`)
  await other.kill()
  expect(existsSync(path)).toBe(true)
  expect(isAlive(other.pid)).toBe(false)
  expect(runningPid(path)).toBeUndefined()
  holdPidFile(path, 'the folder')
  expect(runningPid(path)).toBe(process.pid)
})

test.runIf(process.platform === 'linux')('is not taken for that of a process which has the same pid by chance', () => {
  const path = join(tempDir(), 'x.pid')
  writeFileSync(path, `${process.ppid}\n1@another-boot\n`)
  expect(runningPid(path)).toBeUndefined()
  holdPidFile(path, 'the folder')
  expect(runningPid(path)).toBe(process.pid)
})

test.each(['', 'nonsense', '-1\n', '0\n', '999999999\n'])('a file that says %j names no process', (content) => {
  const path = join(tempDir(), 'x.pid')
  writeFileSync(path, content)
  expect(runningPid(path)).toBeUndefined()
  holdPidFile(path, 'the folder')
})
