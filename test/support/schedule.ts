import fc from 'fast-check'

/** What may happen to a fleet of two nodes, one step after the other. */
export type Step =
  // The network, the processes.
  | { is: 'cut' | 'stall' | 'mute' | 'slow' | 'narrow' | 'heal'; node: number }
  | { is: 'kill-edge' | 'stop-edge' | 'start-edge'; node: number }
  | { is: 'kill-cloud' | 'stop-cloud' | 'start-cloud' }
  // A person with kubectl.
  | { is: 'desire'; node: number }
  | { is: 'edit-config'; config: number }
  | { is: 'delete-config'; config: number }
  | { is: 'create-pod'; node: number; pod: number; config: number; fails: boolean }
  | { is: 'delete-pod'; node: number; pod: number }
  | { is: 'replace-guest'; node: number }
  // A device on the node.
  | { is: 'report'; node: number; count: number; device: 'room' | 'guest' }
  | { is: 'report-and-kill'; node: number; count: number; after: number }
  | { is: 'local-desire'; node: number }
  | { is: 'state'; node: number; online: boolean }
  | { is: 'bad-report'; node: number }
  // Time.
  | { is: 'pause'; ms: number }
  | { is: 'catch-up'; node: number }

const node = fc.nat(1)
const config = fc.nat(1)
const pod = fc.nat(2)
const only = <const T extends string>(...words: T[]) => fc.constantFrom(...words)

const network = fc.record({ is: only('cut', 'cut', 'stall', 'mute', 'slow', 'narrow', 'heal', 'heal', 'heal'), node })
const process = fc.oneof(
  fc.record({ is: only('kill-edge', 'kill-edge', 'stop-edge', 'start-edge', 'start-edge', 'start-edge'), node }),
  fc.record({ is: only('kill-cloud', 'stop-cloud', 'start-cloud', 'start-cloud', 'start-cloud') }),
)
const person = fc.oneof(
  { weight: 3, arbitrary: fc.record({ is: only('desire'), node }) },
  { weight: 3, arbitrary: fc.record({ is: only('edit-config'), config }) },
  { weight: 1, arbitrary: fc.record({ is: only('delete-config'), config }) },
  { weight: 3, arbitrary: fc.record({ is: only('create-pod'), node, pod, config, fails: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ is: only('delete-pod'), node, pod }) },
  { weight: 1, arbitrary: fc.record({ is: only('replace-guest'), node }) },
)
const after = fc.integer({ min: 1, max: 4 })
const count = fc.integer({ min: 1, max: 12 })
const local = fc.oneof(
  { weight: 3, arbitrary: fc.record({ is: only('report'), node, count, device: only('room', 'guest') }) },
  { weight: 2, arbitrary: fc.record({ is: only('report-and-kill'), node, count, after }) },
  { weight: 2, arbitrary: fc.record({ is: only('local-desire'), node }) },
  { weight: 1, arbitrary: fc.record({ is: only('state'), node, online: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ is: only('bad-report'), node }) },
)
const time = fc.oneof(
  { weight: 3, arbitrary: fc.record({ is: only('pause'), ms: fc.nat(200) }) },
  { weight: 1, arbitrary: fc.record({ is: only('catch-up'), node }) },
)

export const schedules: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: network },
    { weight: 2, arbitrary: process },
    { weight: 5, arbitrary: person },
    { weight: 5, arbitrary: local },
    { weight: 3, arbitrary: time },
  ),
  { minLength: 40, maxLength: 80, size: 'max' },
)
