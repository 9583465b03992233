import { type Announced, type Announcement, defined, propertyName } from '@kedge/shared/proposals'
import * as z from 'zod'

/**
 * zigbee2mqtt announces its devices, retained, on `<base>/bridge/devices`; what each can do is in
 * `definition.exposes` (https://www.zigbee2mqtt.io/guide/usage/exposes.html).
 */

const Exposed: z.ZodType<Exposed> = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  property: z.string().optional(),
  description: z.string().optional(),
  /** Bit 1: it is published; bit 2: it can be set; bit 4: it can be asked for. */
  access: z.number().optional(),
  unit: z.string().optional(),
  value_on: z.union([z.string(), z.boolean()]).optional(),
  value_off: z.union([z.string(), z.boolean()]).optional(),
  value_min: z.number().optional(),
  value_max: z.number().optional(),
  value_step: z.number().optional(),
  features: z.lazy(() => z.array(Exposed)).optional(),
})

interface Exposed {
  type: string
  name?: string | undefined
  property?: string | undefined
  description?: string | undefined
  access?: number | undefined
  unit?: string | undefined
  value_on?: string | boolean | undefined
  value_off?: string | boolean | undefined
  value_min?: number | undefined
  value_max?: number | undefined
  value_step?: number | undefined
  features?: Exposed[] | undefined
}

const Listed = z.looseObject({
  ieee_address: z.string().min(1),
  friendly_name: z.string().min(1),
  type: z.string().optional(),
  disabled: z.boolean().optional(),
  description: z.string().nullish(),
  definition: z
    .looseObject({
      model: z.string(),
      vendor: z.string().optional(),
      description: z.string().optional(),
      exposes: z.array(Exposed),
    })
    .nullish(),
})

/** What a filter for the lists of devices is; the base topic may be any single level. */
export const zigbee2mqttFilter = '+/bridge/devices'

/** Reads the list of devices; `base` is the topic before `/bridge/devices`. What is no device of use is left out. */
export function zigbee2mqttDevices(base: string, payload: string): Announcement[] {
  const list: unknown = JSON.parse(payload)
  if (!Array.isArray(list)) throw new Error('a list of devices is needed')
  return list.flatMap((each) => {
    const parsed = Listed.safeParse(each)
    return parsed.success ? (announced(base, parsed.data) ?? []) : []
  })
}

function announced(base: string, device: z.infer<typeof Listed>): Announcement | undefined {
  const { definition, friendly_name: name, ieee_address: address } = device
  if (!definition || device.disabled || device.type === 'Coordinator' || /[+#]/.test(name)) return undefined
  const notes: string[] = []
  const topic = `${base}/${name}`
  const properties = definition.exposes.flatMap((exposed) => propertiesOf(exposed, { topic, path: [], notes }))
  return {
    id: `zigbee2mqtt/${address}`,
    name,
    make: [definition.vendor, definition.model].filter(Boolean).join(' '),
    description: device.description || definition.description || definition.model,
    protocol: {
      availability: [
        { topic: `${base}/bridge/state`, path: 'state' },
        { topic: `${topic}/availability`, path: 'state' },
      ],
    },
    properties: firstOfEach(properties),
    notes,
  }
}

interface Where {
  topic: string
  /** The objects that the value lies in. */
  path: string[]
  notes: string[]
}

function propertiesOf(exposed: Exposed, { topic, path, notes }: Where): Announced[] {
  const { type, property, features } = exposed
  if (features !== undefined) {
    const inside = type === 'composite' && property !== undefined ? [...path, property] : path
    return features.flatMap((feature) => propertiesOf(feature, { topic, path: inside, notes }))
  }
  if (property === undefined || property === '') return []
  const access = exposed.access ?? 1
  const typed = typeOf(exposed)
  const full = [...path, property]
  if (typed === undefined) {
    notes.push(`${full.join('.')}: ${type} has no type here`)
    return []
  }
  const { map, ...rule } = typed
  const set = full.reduceRight((inner, key) => `{${JSON.stringify(key)}:${inner}}`, '{{json}}')
  const visitor = defined({
    topic: access & 1 ? topic : undefined,
    path: access & 1 ? full.map(step).join('.') : undefined,
    map,
    command: access & 2 ? { topic: `${topic}/set`, payload: set } : undefined,
  })
  if (visitor.topic === undefined && visitor.command === undefined) return []
  const { description, unit } = exposed
  return [{ name: propertyName(full.join('.')), description, unit, writable: (access & 2) !== 0, ...rule, visitor }]
}

/** A key as a step of a path. */
function step(key: string): string {
  return /^[^.[\]"]+$/.test(key) ? key : `[${JSON.stringify(key)}]`
}

function typeOf(exposed: Exposed): (Pick<Announced, 'type' | 'minimum' | 'maximum'> & { map?: object }) | undefined {
  switch (exposed.type) {
    case 'binary': {
      const { value_on: on = true, value_off: off = false } = exposed
      if (typeof on === 'boolean' && typeof off === 'boolean') return { type: 'BOOLEAN' }
      return { type: 'BOOLEAN', map: { [String(on)]: 'true', [String(off)]: 'false' } }
    }
    case 'numeric': {
      const { value_min: least, value_max: most, value_step: by } = exposed
      const whole = by !== undefined && [least ?? 0, most ?? 0, by].every(Number.isInteger)
      return { type: whole ? 'INT' : 'FLOAT', minimum: text(least), maximum: text(most) }
    }
    case 'enum':
    case 'text':
      return { type: 'STRING' }
    case 'list':
      // As JSON text.
      return { type: 'STRING' }
    default:
      return undefined
  }
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}

/** Devices with several endpoints may expose one property twice. */
function firstOfEach(properties: Announced[]): Announced[] {
  const seen = new Set<string>()
  return properties.filter(({ name }) => seen.size !== seen.add(name).size)
}
