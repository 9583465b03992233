import type { Strategy } from './strategy.ts'
import { configMapStrategy, secretStrategy } from './strategy-config.ts'
import { crdStrategy } from './strategy-crd.ts'
import { csrStrategy } from './strategy-csr.ts'
import { eventStrategy, leaseStrategy, namespaceStrategy, nodeStrategy } from './strategy-others.ts'
import { podStrategy } from './strategy-pod.ts'

/** By storage: `pods`, `leases.coordination.k8s.io`. */
export const strategies: Record<string, Strategy> = {
  namespaces: namespaceStrategy,
  nodes: nodeStrategy,
  pods: podStrategy,
  configmaps: configMapStrategy,
  secrets: secretStrategy,
  events: eventStrategy,
  'leases.coordination.k8s.io': leaseStrategy,
  'certificatesigningrequests.certificates.k8s.io': csrStrategy,
  'customresourcedefinitions.apiextensions.k8s.io': crdStrategy,
}
