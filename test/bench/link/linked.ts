import type { CountingProxy } from '../support/proxy.ts'
import type { Edge, System } from '../support/system.ts'

/** An edge whose link goes through a proxy that counts and cuts. */
export interface Linked {
  system: System
  edge: Edge
  proxy: CountingProxy
}
