import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '@kedge/shared/errors'
import type { Container, Runtime, Sandbox } from './runtime.ts'

type Engine = Pick<Runtime, 'logFile'>

/** Removes the log of a container that is about to be removed, with what was rotated away of it. */
export async function removeContainerLog(engine: Engine, sandbox: Sandbox, container: Container): Promise<void> {
  const file = engine.logFile(sandbox.pod, container)
  if (file === undefined) return
  const names = await readdir(dirname(file)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  const own = names.filter((name) => name === basename(file) || name.startsWith(`${basename(file)}.`))
  for (const name of own) await rm(join(dirname(file), name), { force: true })
}

/**
 * Removes the logs of a sandbox that is about to be removed; with the last one of a pod that nobody wants any more the
 * whole folder. Before the sandbox and not after it: a kill in between leaves nothing that nobody would find again.
 */
export async function removeSandboxLogs(engine: Engine, sandbox: Sandbox, isLast: boolean): Promise<void> {
  const file = engine.logFile(sandbox.pod, { name: 'any', attempt: 0 })
  if (file !== undefined && isLast) return rm(dirname(dirname(file)), { recursive: true, force: true })
  for (const container of sandbox.containers) await removeContainerLog(engine, sandbox, container)
}
