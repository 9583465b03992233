import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'

const Amounts = z.record(z.string(), z.union([z.string(), z.number()])).default({})
const Resources = z.object({ requests: Amounts, limits: Amounts })
const Spec = z.object({
  containers: z.array(z.object({ resources: Resources.prefault({}) })).default([]),
  initContainers: z.array(z.object({ resources: Resources.prefault({}) })).default([]),
})

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/**
 * The quality of service class of a pod, by Kubernetes' rules: Guaranteed when every container has equal requests and
 * limits of cpu and memory (a missing request counts as the limit), BestEffort when none has any, else Burstable.
 */
export function qosClass(pod: KubeObject): QosClass {
  const spec = Spec.safeParse(pod.spec)
  if (!spec.success) return 'BestEffort'
  const all = [...spec.data.initContainers, ...spec.data.containers].map(({ resources }) => resources)
  if (!all.some(asksAny)) return 'BestEffort'
  return all.every(isGuaranteed) ? 'Guaranteed' : 'Burstable'
}

type Resources = z.infer<typeof Resources>
const counted = ['cpu', 'memory'] as const

function asksAny({ requests, limits }: Resources): boolean {
  return counted.some((name) => amount(requests[name]) > 0 || amount(limits[name]) > 0)
}

function isGuaranteed({ requests, limits }: Resources): boolean {
  return counted.every((name) => {
    const limit = amount(limits[name])
    return limit > 0 && (requests[name] === undefined || amount(requests[name]) === limit)
  })
}

const suffixes: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A Kubernetes quantity as a number; 0 for what is missing or is none. */
function amount(quantity: string | number | undefined): number {
  const [, digits, suffix = ''] =
    /^\+?(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)([a-zA-Z]{0,2})$/.exec(String(quantity ?? '')) ?? []
  return digits === undefined ? 0 : Number(digits) * (suffixes[suffix] ?? 0)
}
