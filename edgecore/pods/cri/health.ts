import { explain } from '@kedge/shared/errors'
import { EngineFault, type Health, type Verdict } from '../runtime.ts'
import { methods } from './api.ts'
import type { CriClient } from './client.ts'

/** The node's status waits for the answer. */
const answerMs = 5000

/** What the engine says of itself; that it says nothing is an answer, too. */
export async function healthOf(client: CriClient): Promise<Health> {
  try {
    const { status } = await client.call(methods.status, {}, answerMs)
    const verdict = (type: string): Verdict => {
      const found = status?.conditions.find((one) => one.type === type)
      if (found?.status === true) return { ok: true }
      const { reason = '', message = '' } = found ?? {}
      return { ok: false, reason: reason || `${type}False`, message: message || `the engine reports no ${type}` }
    }
    return { runtime: verdict('RuntimeReady'), network: verdict('NetworkReady') }
  } catch (error) {
    const away: Verdict = { ok: false, reason: reasonOf(error), message: explain(error) }
    return { runtime: away, network: away }
  }
}

function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof EngineFault) return at.reason
  return 'ContainerRuntimeUnreachable'
}
