import { mappers } from './devices/mappers.ts'
import type { BenchContext } from './harness.ts'

export const name = 'devices'

/** What devices cost by the ways that they are attached, MQTT aside (`twins`). */
export async function run(context: BenchContext): Promise<void> {
  await mappers(context)
}
