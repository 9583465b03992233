import type { ValueType } from './setting-types.ts'

/** One row of a program's table: everything that is known of one setting. */
export interface Setting<T> {
  type: ValueType<T>
  /** One sentence without its full stop, for `--help` and the documentation. */
  help: string
  /**
   * The text that stands when nobody gives one. With neither default nor `required` the value may be undefined, and
   * giving the empty text makes it so.
   */
  default?: string | ComputedDefault
  /** Somebody has to give it. */
  required?: true
  /** Its value never shows: not in `--print-config`, not in a fault. */
  secret?: true
}

/** A default that depends on the machine. */
export interface ComputedDefault {
  /** In words, for the documentation. */
  says: string
  text(): string
}

/** The settings of a program by their names in code; `mqttPort` is `--mqtt-port` and `KEDGE_MQTT_PORT` to people. */
// biome-ignore lint/suspicious/noExplicitAny: a table holds settings of all types; `Values` gives each its own again.
export type Table = Record<string, Setting<any>>

type Given<S> = S extends { default: unknown } | { required: true } ? never : undefined

/** The values that a table yields. */
export type Values<T extends Table> = {
  [K in keyof T]: (T[K] extends { type: ValueType<infer V> } ? V : never) | Given<T[K]>
}

export interface Program<T extends Table> {
  /** The name of the command. */
  name: string
  /** What it does, in one sentence without a full stop. */
  summary: string
  table: T
  /** Further commands, for `--help`: `edgecore get pods|…`. */
  usage?: readonly string[]
  /** It has nothing but flags: no variables, no settings file. */
  flagsOnly?: true
  /** What no single setting can tell; `env` are the environment variables. */
  check?(values: Values<T>, env: Env): Fault[]
}

export type Env = Readonly<Record<string, string | undefined>>

/** A text for a setting, and where it came from. */
export interface Entry {
  /** The name of the flag without its dashes: `mqtt-port`. */
  name: string
  text: string
  /** `flag --mqtt-port`, `variable KEDGE_MQTT_PORT`, `edge.yaml`, `default`. */
  source: string
}

export interface Fault {
  /** Which setting: `mqtt-port`. */
  name: string
  /** What is wrong: `found "x"`. */
  found: string
  /** Where it came from. */
  source?: string
  /** What would be right: `give a port, 0 to 65535`. */
  advice: string
}

export interface Effective<T extends Table> {
  values: Values<T>
  /** The text that is in force for each setting and where it came from, in the order of the table. */
  entries: Entry[]
  faults: Fault[]
}

/** Keeps the exact type of a program's table. */
export function program<const T extends Table>(definition: Program<T>): Program<T> {
  return definition
}

/** `mqttPort` → `mqtt-port`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `mqttPort` → `KEDGE_MQTT_PORT`. */
export function variableName(key: string): string {
  return `KEDGE_${flagName(key).replaceAll('-', '_').toUpperCase()}`
}

/**
 * The values in force: of each setting the first text found in `sources` (in their order of precedence), else its
 * default. Never throws: all faults come back together, and with any of them the values are not to be used.
 */
export function settle<T extends Table>(
  { table, check }: Program<T>,
  sources: readonly (readonly Entry[])[],
  env: Env,
): Effective<T> {
  const values: Record<string, unknown> = {}
  const entries: Entry[] = []
  const faults: Fault[] = []
  for (const [key, setting] of Object.entries(table)) {
    const name = flagName(key)
    const entry = pick(name, sources) ?? defaultEntry(name, setting)
    if (entry === undefined) {
      if (setting.required) faults.push({ name, found: 'missing', advice: `give ${setting.type.expects}` })
      continue
    }
    entries.push(entry)
    if (entry.text === '' && setting.default === undefined && !setting.required) continue
    const parsed = setting.type.schema.safeParse(entry.text)
    if (parsed.success) values[key] = parsed.data
    else faults.push(faultOf(entry, setting))
  }
  const settled = values as Values<T>
  if (faults.length === 0 && check) faults.push(...check(settled, env))
  return { values: settled, entries, faults }
}

/** Of one source the last entry counts: a flag given twice means the second. */
function pick(name: string, sources: readonly (readonly Entry[])[]): Entry | undefined {
  for (const source of sources) {
    const entry = source.findLast((each) => each.name === name)
    if (entry) return entry
  }
  return undefined
}

function defaultEntry(name: string, setting: Setting<unknown>): Entry | undefined {
  if (setting.default === undefined) return undefined
  const text = typeof setting.default === 'string' ? setting.default : setting.default.text()
  return { name, text, source: 'default' }
}

function faultOf({ name, text, source }: Entry, { type, secret }: Setting<unknown>): Fault {
  const found = `found ${secret ? 'a value that is not shown' : JSON.stringify(text)}`
  return { name, found, source, advice: `give ${type.expects}` }
}
