/** Home Assistant's short forms of the keys that are read here (https://www.home-assistant.io/integrations/mqtt). */
const long: Record<string, string> = {
  avty: 'availability',
  avty_t: 'availability_topic',
  avty_tpl: 'availability_template',
  bri_cmd_t: 'brightness_command_topic',
  bri_scl: 'brightness_scale',
  bri_stat_t: 'brightness_state_topic',
  bri_val_tpl: 'brightness_value_template',
  cmd_t: 'command_topic',
  cmd_tpl: 'command_template',
  cmps: 'components',
  dev: 'device',
  ops: 'options',
  p: 'platform',
  pl_avail: 'payload_available',
  pl_not_avail: 'payload_not_available',
  pl_off: 'payload_off',
  pl_on: 'payload_on',
  pl_prs: 'payload_press',
  schema: 'schema',
  stat_off: 'state_off',
  stat_on: 'state_on',
  stat_t: 'state_topic',
  stat_val_tpl: 'state_value_template',
  t: 'topic',
  uniq_id: 'unique_id',
  unit_of_meas: 'unit_of_measurement',
  val_tpl: 'value_template',
}

const longOfDevice: Record<string, string> = {
  ids: 'identifiers',
  cns: 'connections',
  mf: 'manufacturer',
  mdl: 'model',
}

type Json = Record<string, unknown>

/** A configuration with the long keys, and `~` in topics replaced by its base. */
export function spelledOut(config: Json): Json {
  const base = typeof config['~'] === 'string' ? config['~'] : undefined
  return expand(config, base)
}

function expand(config: Json, base: string | undefined): Json {
  const entries = Object.entries(config).map(([key, value]) => {
    const name = long[key] ?? key
    if (name === 'device' && isJson(value)) return [name, renamed(value, longOfDevice)]
    return [name, expandValue(name, value, base)]
  })
  return Object.fromEntries(entries) as Json
}

function expandValue(name: string, value: unknown, base: string | undefined): unknown {
  if (Array.isArray(value)) return value.map((each) => (isJson(each) ? expand(each, base) : each))
  if (name === 'components' && isJson(value)) {
    return Object.fromEntries(Object.entries(value).map(([id, each]) => [id, isJson(each) ? expand(each, base) : each]))
  }
  if (base === undefined || typeof value !== 'string' || !name.endsWith('topic')) return value
  if (value.startsWith('~')) return base + value.slice(1)
  return value.endsWith('~') ? value.slice(0, -1) + base : value
}

function renamed(fields: Json, names: Record<string, string>): Json {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [names[key] ?? key, value]))
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
