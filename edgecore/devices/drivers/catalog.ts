import type { Device } from '@kedge/shared/devices'
import { explain } from '@kedge/shared/errors'
import { answerable } from './blame.ts'
import type { Driver, LazyDriver } from './driver.ts'

/** The built-in drivers. Each is loaded when the first device needs it. */
export const builtInDrivers: readonly LazyDriver[] = [
  { protocols: ['virtual'], load: async () => (await import('./virtual.ts')).virtualDriver },
  {
    protocols: ['mqtt'],
    // Without a mapping the device speaks on the device topics itself.
    serves: ({ spec }) => isMapped(spec),
    load: async () => (await import('./mqtt/driver.ts')).mqttDriver,
  },
  { protocols: ['modbus'], load: async () => (await import('./modbus/driver.ts')).modbusDriver },
  { protocols: ['http'], load: async () => (await import('./http/driver.ts')).httpDriver },
]

/** Whether a device says how its properties lie in the words of its protocol. */
function isMapped(spec: NonNullable<Device['spec']>): boolean {
  return (spec.properties ?? []).some(({ visitors }) => Object.keys(visitors?.configData ?? {}).length > 0)
}

/** A driver of somebody else, as the settings name it: `--driver NAME=PACKAGE`. */
export interface NamedDriver {
  /** The `protocolName` that chooses it. */
  name: string
  /** The name of a package, the path of a file, or `none` to serve such devices by nobody. */
  from: string
}

/** The drivers of a node: those of the settings before the built-in ones. */
export function driversOf(named: readonly NamedDriver[], load: (from: string) => Promise<unknown>): LazyDriver[] {
  const replaced = new Set(named.map(({ name }) => name))
  const others = named
    .filter(({ from }) => from !== 'none')
    .map(({ name, from }) => ({ protocols: [name], load: () => loadDriver({ name, from }, load) }))
  return [...others, ...builtInDrivers.filter(({ protocols }) => !protocols.some((name) => replaced.has(name)))]
}

/** Loads the code of a driver; the error says what is wrong with it. */
async function loadDriver(
  { name, from }: NamedDriver,
  load: (from: string) => Promise<unknown>,
): Promise<Pick<Driver, 'start'>> {
  let loaded: unknown
  try {
    loaded = await load(from)
  } catch (error) {
    throw new Error(`the driver ${name} cannot be loaded from ${from}: ${explain(error)}`, { cause: undefined })
  }
  for (const candidate of candidates(loaded)) {
    if (typeof candidate.start === 'function') return answerable(candidate as unknown as Driver)
  }
  throw new Error(`${from} is no driver: it should export "driver" or a default, an object with the function start`)
}

function candidates(loaded: unknown): Record<string, unknown>[] {
  const { driver, default: standard } = (loaded ?? {}) as { driver?: unknown; default?: unknown }
  // A CommonJS module comes as the default of the module that stands for it.
  const inner = (standard as { driver?: unknown } | undefined)?.driver
  return [driver, standard, inner].filter((each) => typeof each === 'object' && each !== null) as Record<
    string,
    unknown
  >[]
}
