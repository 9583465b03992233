import type { Room } from '../pods/admission.ts'
import { type Amounts, amountsIn, counted } from '../pods/claim.ts'
import type { NodeFacts } from './node-facts.ts'

/** As many pods as kubelet takes. */
const maxPods = 110

/** A resource list as Kubernetes writes it. */
export type ResourceList = Record<string, string>

/** What the machine has, for `Node.status.capacity`. */
export function capacityOf({ cpus, memory, disk }: NodeFacts): ResourceList {
  return listOf({ cpu: cpus, memory: memory.total, 'ephemeral-storage': disk.total })
}

/** What of it pods may have, for `Node.status.allocatable`: what is set aside for the system is taken off. */
export function allocatableOf(facts: NodeFacts, reserved: Amounts = amountsIn({})): ResourceList {
  return listOf(leftOf(facts, reserved))
}

/** The same for admission. */
export function roomOf(facts: NodeFacts, reserved: Amounts | undefined, labels: Room['labels']): Room {
  return { amounts: leftOf(facts, reserved ?? amountsIn({})), pods: maxPods, labels }
}

function leftOf({ cpus, memory, disk }: NodeFacts, reserved: Amounts): Amounts {
  const all: Amounts = { cpu: cpus, memory: memory.total, 'ephemeral-storage': disk.total }
  for (const name of counted) all[name] = Math.max(0, all[name] - reserved[name])
  return all
}

function listOf(amounts: Amounts): ResourceList {
  const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`
  const millis = Math.floor(amounts.cpu * 1000)
  return {
    cpu: millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`,
    memory: kibibytes(amounts.memory),
    'ephemeral-storage': kibibytes(amounts['ephemeral-storage']),
    pods: String(maxPods),
  }
}
