import type { Device } from '@kedge/shared/devices'
import { cycleOf } from './drivers/cycles.ts'

/** How long a state that is said again is believed without another report, in milliseconds, unless the device asks. */
const defaultStateCycle = 60_000

/**
 * Milliseconds between two reports of a state that has not changed: `spec.stateReport.reportCycle`, within the limits of
 * every cycle. A state that changes is reported at once.
 */
export function stateCycleOf(device: Pick<Device, 'spec'> | undefined): number {
  const given = device?.spec?.stateReport?.reportCycle
  return given === undefined || given <= 0 ? defaultStateCycle : cycleOf('', given, () => undefined)
}
