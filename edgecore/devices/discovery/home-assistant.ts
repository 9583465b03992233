import { type Announced, type Announcement, defined, propertyName } from '@kedge/shared/proposals'
import * as z from 'zod'
import { isJson, spelledOut } from './ha-words.ts'

/**
 * Home Assistant's MQTT discovery: one retained message for each entity on
 * `<prefix>/<component>/[<node>/]<object>/config`, or one for a device with all its components on
 * `<prefix>/device/<object>/config` (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery).
 */

export const homeAssistantPrefix = 'homeassistant'
export const homeAssistantFilter = `${homeAssistantPrefix}/#`

const word = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const names = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat())

const Entity = z.looseObject({
  name: z.string().nullish(),
  unique_id: z.string().optional(),
  platform: z.string().optional(),
  schema: z.string().optional(),
  state_topic: z.string().optional(),
  command_topic: z.string().optional(),
  value_template: z.string().optional(),
  state_value_template: z.string().optional(),
  command_template: z.string().optional(),
  unit_of_measurement: z.string().nullish(),
  payload_on: word.optional(),
  payload_off: word.optional(),
  payload_press: word.optional(),
  state_on: word.optional(),
  state_off: word.optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  step: z.number().optional(),
  brightness: z.boolean().optional(),
  brightness_scale: z.number().optional(),
  brightness_state_topic: z.string().optional(),
  brightness_command_topic: z.string().optional(),
  brightness_value_template: z.string().optional(),
  availability_topic: z.string().optional(),
  availability_template: z.string().optional(),
  payload_available: z.string().optional(),
  payload_not_available: z.string().optional(),
  availability: z
    .array(
      z.looseObject({
        topic: z.string(),
        value_template: z.string().optional(),
        payload_available: z.string().optional(),
        payload_not_available: z.string().optional(),
      }),
    )
    .optional(),
  device: z
    .looseObject({
      identifiers: names.optional(),
      connections: z.array(z.tuple([z.string(), z.string()])).optional(),
      name: z.string().nullish(),
      manufacturer: z.string().optional(),
      model: z.string().optional(),
    })
    .optional(),
})
type Entity = z.infer<typeof Entity>

/** One entity: what it is, and of which device. */
export interface HaEntity {
  component: string
  /** The last level of its topic, or its key among the components. */
  object: string
  entity: Entity
}

/**
 * The entities that a message announces; none for a topic that announces nothing, and for an empty payload, which takes
 * an announcement back. Throws what is wrong with it.
 */
export function haEntities(topic: string, payload: string): HaEntity[] {
  const [, component, object] = /^[^/]+\/([\w-]+)\/(?:[\w-]+\/)?([\w-]+)\/config$/.exec(topic) ?? []
  if (component === undefined || object === undefined || payload === '') return []
  const config: unknown = JSON.parse(payload)
  if (!isJson(config)) throw new Error('a JSON object is needed')
  const { components, ...shared } = spelledOut(config)
  if (component !== 'device') return [{ component, object, entity: Entity.parse(shared) }]
  return Object.entries(isJson(components) ? components : {}).flatMap(([key, each]) => {
    if (!isJson(each) || typeof each.platform !== 'string') return []
    return [{ component: each.platform, object: key, entity: Entity.parse({ ...shared, ...each }) }]
  })
}

/** The device that an entity belongs to; entities without one stand alone. */
export function haDeviceId({ component, object, entity: { device, unique_id } }: HaEntity): string {
  const known = device?.identifiers?.[0] ?? device?.connections?.[0]?.[1]
  return `homeassistant/${known ?? unique_id ?? `${component}-${object}`}`
}

/** The announcement that the entities of one device make together; undefined when none of them can be used. */
export function haDevice(id: string, entities: readonly HaEntity[]): Announcement | undefined {
  const notes: string[] = []
  const taken = new Set<string>()
  const properties = entities.flatMap((entity) =>
    propertiesOf(entity, notes).map((property) => ({ ...property, name: unique(property.name, taken) })),
  )
  if (properties.length === 0) return undefined
  const device = entities.find(({ entity }) => entity.device !== undefined)?.entity.device
  const fallback = entities[0]?.entity.name ?? entities[0]?.object ?? id
  const availability = firstOfEach(entities.flatMap(({ entity }) => availabilityOf(entity, notes)))
  return {
    id,
    name: device?.name ?? fallback,
    make: [device?.manufacturer, device?.model].filter(Boolean).join(' ') || (device?.name ?? fallback),
    description: device?.model ?? device?.name ?? fallback,
    protocol: availability.length > 0 ? { availability } : {},
    properties,
    notes,
  }
}

function unique(name: string, taken: Set<string>): string {
  let free = name
  for (let count = 2; taken.has(free); count++) free = `${name}_${count}`
  taken.add(free)
  return free
}

type Rule = Pick<Announced, 'type' | 'minimum' | 'maximum'> & { map?: Record<string, string> }

function propertiesOf({ component, object, entity }: HaEntity, notes: string[]): Announced[] {
  const name = propertyName((entity.name ?? object).trim().replaceAll(/\s+/g, '_').toLowerCase())
  const one = (rule: Rule, more: Record<string, unknown> = {}) =>
    basic({ name, entity, ...rule, ...more } as Basic, notes)
  switch (component) {
    case 'sensor':
      return one({ type: entity.unit_of_measurement ? 'FLOAT' : 'STRING' })
    case 'binary_sensor':
      return one({ type: 'BOOLEAN', map: onOff(entity.payload_on, entity.payload_off) })
    case 'switch':
      return one(
        { type: 'BOOLEAN', map: onOff(entity.state_on ?? entity.payload_on, entity.state_off ?? entity.payload_off) },
        { commandMap: commandMap(entity) },
      )
    case 'number': {
      const { min = 1, max = 100, step = 1 } = entity
      const whole = [min, max, step].every(Number.isInteger)
      return one({ type: whole ? 'INT' : 'FLOAT', minimum: String(min), maximum: String(max) })
    }
    case 'select':
    case 'text':
      return one({ type: 'STRING' })
    case 'button':
      return one({ type: 'STRING' }, { payload: entity.payload_press ?? 'PRESS' })
    case 'light':
      return light(name, entity, notes)
    default:
      notes.push(`${name}: ${component} is not known here`)
      return []
  }
}

/** The words that a device has for on and off, as the values of the property. */
function onOff(on = 'ON', off = 'OFF'): Record<string, string> {
  return { [on]: 'true', [off]: 'false' }
}

function commandMap({ payload_on: on = 'ON', payload_off: off = 'OFF' }: Entity): Record<string, string> {
  return { true: on, false: off }
}

interface Basic extends Rule {
  name: string
  entity: Entity
  /** Sent whatever the value is. */
  payload?: string
  commandMap?: Record<string, string>
}

function basic({ name, entity, payload, commandMap, map, ...rule }: Basic, notes: string[]): Announced[] {
  const { state_topic: topic, command_topic: commandTopic, unit_of_measurement: unit } = entity
  const path = topic === undefined ? '' : pathOf(entity.value_template)
  const template = payload ?? payloadOf(entity.command_template)
  if (path === undefined || template === undefined) {
    notes.push(`${name}: its template is more than a path`)
    return []
  }
  const command = commandTopic && defined({ topic: commandTopic, payload: template, map: commandMap })
  if (topic === undefined && !command) return []
  const visitor = defined({ topic, path: path || undefined, map, command: command || undefined })
  return [{ name, ...rule, unit: unit ?? undefined, writable: Boolean(command), visitor }]
}

function light(name: string, entity: Entity, notes: string[]): Announced[] {
  if (entity.schema === 'json') return jsonLight(name, entity)
  if (entity.schema !== undefined && entity.schema !== 'basic') {
    notes.push(`${name}: a light of schema ${entity.schema} is not known here`)
    return []
  }
  const value_template = entity.state_value_template ?? entity.value_template
  const map = onOff(entity.payload_on, entity.payload_off)
  const state = { ...entity, value_template }
  const power = basic({ name, entity: state, type: 'BOOLEAN', map, commandMap: commandMap(entity) }, notes)
  const brightness = {
    ...entity,
    state_topic: entity.brightness_state_topic,
    command_topic: entity.brightness_command_topic,
    value_template: entity.brightness_value_template,
    command_template: undefined,
  }
  const maximum = String(entity.brightness_scale ?? 255)
  const rule: Rule = { type: 'INT', minimum: '0', maximum }
  return [...power, ...basic({ name: `${name}_brightness`, entity: brightness, ...rule }, notes)]
}

function jsonLight(name: string, { state_topic: topic, command_topic, brightness, brightness_scale = 255 }: Entity) {
  const property = (key: string, rule: Rule): Announced => {
    const { map, ...typed } = rule
    const payload = key === 'state' ? '{"state":"{{value}}"}' : `{"state":"ON",${JSON.stringify(key)}:{{json}}}`
    const command = command_topic === undefined ? undefined : { topic: command_topic, payload }
    const visitor = defined({ topic, path: topic && key, map, command })
    return { name: key === 'state' ? name : `${name}_${key}`, ...typed, writable: command !== undefined, visitor }
  }
  const power = property('state', { type: 'BOOLEAN', map: { ON: 'true', OFF: 'false' } })
  if (!brightness) return [power]
  return [power, property('brightness', { type: 'INT', minimum: '0', maximum: String(brightness_scale) })]
}

/**
 * The path that a template of Home Assistant is, `{{ value_json.a.b }}`; empty for the whole payload, undefined for a
 * template that is more than that. Filters that only shape a number or give a default are left out.
 */
export function pathOf(template: string | undefined): string | undefined {
  if (template === undefined || template.trim() === '') return ''
  const harmless = String.raw`(?:\s*\|\s*(?:round|int|float|default|is_defined|string)(?:\([^()]*\))?)*`
  const found = new RegExp(
    String.raw`^\s*\{\{-?\s*(value|value_json((?:\.\w+|\[(?:\d+|'[^']*'|"[^"]*")\])+))${harmless}\s*-?\}\}\s*$`,
  ).exec(template)
  if (found === null) return undefined
  const [, , path] = found
  return path === undefined ? '' : path.replace(/^\./, '')
}

/** A command of Home Assistant as one of the driver: `{{ value }}` stands for the value in both. */
function payloadOf(template: string | undefined): string | undefined {
  if (template === undefined) return '{{value}}'
  const plain = template.replaceAll(/\{\{-?\s*value\s*-?\}\}/g, '\0')
  return /\{\{|\{%/.test(plain) ? undefined : plain.replaceAll('\0', '{{value}}')
}

interface Availability {
  topic: string
  path?: string
  online?: string
  offline?: string
}

function availabilityOf(entity: Entity, notes: string[]): Availability[] {
  const { availability_topic: topic, availability_template, payload_available, payload_not_available } = entity
  const single = { topic: topic ?? '', value_template: availability_template, payload_available, payload_not_available }
  const all = [...(topic === undefined ? [] : [single]), ...(entity.availability ?? [])]
  return all.flatMap(({ topic, value_template, payload_available: online, payload_not_available: offline }) => {
    const path = pathOf(value_template)
    if (path === undefined) {
      notes.push(`availability on ${topic}: its template is more than a path`)
      return []
    }
    return [defined({ topic, path: path || undefined, online, offline }) as Availability]
  })
}

function firstOfEach(all: Availability[]): Availability[] {
  const seen = new Set<string>()
  return all.filter((each) => seen.size !== seen.add(JSON.stringify(each)).size)
}
