import type { DeviceProperty } from '@kedge/shared/devices'
import * as z from 'zod'
import { ConfigError, type DriverDevice } from './driver.ts'

/** Called with a field that no driver knows, which a slip of the pen may have put there. */
export type OnUnknown = (field: string) => void

/** Reads the `configData` at `where`; throws a `ConfigError` that names each field at fault. */
export function parseConfig<T>(
  schema: z.ZodType<T>,
  config: unknown,
  { where, onUnknown }: { where: string; onUnknown?: OnUnknown | undefined },
): T {
  const parsed = schema.safeParse(config ?? {})
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const found = foundAt(config, issue.path)
      return `${[where, 'configData', ...issue.path].join('.')}: ${issue.message}${found}`
    })
    throw new ConfigError(faults.slice(0, 5).join('; '))
  }
  if (schema instanceof z.ZodObject && onUnknown) {
    for (const key of Object.keys(config ?? {})) if (!(key in schema.shape)) onUnknown(`${where}.configData.${key}`)
  }
  return parsed.data
}

/** `, found "x"` for a field that is there. */
function foundAt(config: unknown, path: readonly PropertyKey[]): string {
  let at = config
  for (const step of path) at = (at as Record<PropertyKey, unknown> | null | undefined)?.[step]
  return at === undefined ? '' : `, found ${JSON.stringify(at)?.slice(0, 100)}`
}

/** A number that may come as text, as hand-written manifests have it. */
export const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^[+-]?\d+(\.\d+)?$/)
    .transform(Number),
])

/** A number of milliseconds above none. */
export const milliseconds = number.pipe(
  z
    .number()
    .positive()
    .max(24 * 60 * 60 * 1000),
)

export const tcpPort = number.pipe(z.int().min(1).max(65535))

/** The properties of a device; all of its model when it names none. */
export function propertiesOf({ spec, model }: DriverDevice): DeviceProperty[] {
  return spec.properties?.length ? spec.properties : [...model.keys()].map((name) => ({ name }))
}
