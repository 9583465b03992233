import { arm64 } from '../../support/shipping/arm64.ts'

/** Fetches once, before all tests, what an arm64 machine has. */
export default async function setup(): Promise<void> {
  await arm64()
}
