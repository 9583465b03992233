import { lastBytes, lastLines } from './last-lines.ts'
import type { Mounts } from './mounts.ts'
import { terminationFile } from './pod-files.ts'
import type { Container, Runtime, Sandbox } from './runtime.ts'
import type { WantedSpec } from './spec.ts'

/** How much of what a container writes at its end is told, in bytes: its end, for it may write as much as it likes. */
const longest = 4096

/**
 * What the containers of a pod that have exited said last, by their ids: what is in the file at their
 * `terminationMessagePath`; of one that failed, and asks for it, else the end of its log.
 */
export async function lastWordsOf(
  { mounts, runtime }: { mounts: Mounts; runtime: Runtime },
  spec: WantedSpec,
  seen: readonly Sandbox[],
): Promise<Map<string, string>> {
  const words = new Map<string, string>()
  const { uid } = spec.config
  for (const container of seen.filter(({ pod }) => pod.uid === uid).flatMap((one) => one.containers)) {
    const of = spec.containers.find(({ name }) => name === container.name)?.of
    if (of === undefined || container.state.is !== 'exited') continue
    const written = await lastBytes(terminationFile(mounts, uid, container), longest)
    let text = written?.bytes.toString()
    if (!text && of.terminationMessagePolicy === 'FallbackToLogsOnError') text = await fromLog(runtime, spec, container)
    if (text) words.set(container.id, text)
  }
  return words
}

async function fromLog(runtime: Runtime, { config }: WantedSpec, { name, attempt, state }: Container) {
  if (state.is !== 'exited' || state.exitCode === 0) return undefined
  const path = runtime.logFile(config, { name, attempt })
  return path === undefined ? undefined : lastLines(path)
}
