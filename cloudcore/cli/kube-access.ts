import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import type { Env } from '@kedge/shared/settings'
import type { Kube } from '../kube/api.ts'
import { openKube } from '../kube/client.ts'
import { defaultData } from '../settings.ts'

/** Flags of every command that works with Kubernetes, and their help. */
export const accessOptions = {
  kubeconfig: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export const accessHelp = `      --kubeconfig FILE  How to reach Kubernetes (default: KEDGE_KUBECONFIG; in a pod its own account; else the
                         embedded API of the data folder, then KUBECONFIG)
      --data PATH        The data folder of a cloudcore with --standalone (default: KEDGE_DATA, else ${defaultData})
  -h, --help             Print this and end
`

/** What a command reads of the world around it. */
export interface KubeAround {
  env: Env
  /** Milliseconds since the epoch. */
  now: number
  /** Says something to the person, beside the output. */
  note: (line: string) => void
}

/** Runs `work` with Kubernetes, wherever that is. Throws a UserError where there is none to reach. */
export async function withKube<T>(
  given: { kubeconfig?: string | undefined; data?: string | undefined },
  env: Env,
  work: (kube: Kube) => Promise<T>,
): Promise<T> {
  const kube = openKube(wayOf(given, env))
  try {
    return await work(kube)
  } finally {
    kube.close()
  }
}

function wayOf(given: { kubeconfig?: string | undefined; data?: string | undefined }, env: Env) {
  const named = given.kubeconfig ?? (env.KEDGE_KUBECONFIG || undefined)
  if (named !== undefined) return { kubeconfig: named }
  const own = join(given.data ?? (env.KEDGE_DATA || defaultData), 'kubeconfig')
  if (given.data !== undefined && existsSync(own)) return { kubeconfig: own }
  if (env.KUBERNETES_SERVICE_HOST) return { inCluster: true }
  if (existsSync(own)) return { kubeconfig: own }
  const [first] = (env.KUBECONFIG ?? '').split(':')
  if (first) return { kubeconfig: first }
  throw new UserError(
    `no Kubernetes to ask: there is no ${own}; give --kubeconfig FILE, or --data DIR of a cloudcore with --standalone`,
  )
}
