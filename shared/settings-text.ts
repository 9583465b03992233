import { type Entry, type Fault, flagName, type Program, type Setting, type Table, variableName } from './settings.ts'

/** What `--help` says. */
export function helpText<T extends Table>(
  { name, summary, usage = [], table, flagsOnly }: Program<T>,
  version: string,
): string {
  const rows = Object.entries(table).map(([key, setting]) => [flagForm(key, setting), sentence(setting)] as const)
  const asking = [
    ...(flagsOnly ? [] : aboutSources),
    ['-h, --help', 'Print this and end'],
    ['-v, --version', 'Print the version and end'],
  ] as const
  const width = Math.max(...[...rows, ...asking].map(([left]) => left.length)) + 2
  const line = ([left, right]: readonly [string, string]) => `  ${left.padEnd(width)}${right}`
  return [
    `${name} ${version}: ${summary}`,
    '',
    `Usage: ${name} [flags]`,
    ...usage.map((each) => `       ${each}`),
    '',
    ...rows.map(line),
    '',
    ...asking.map(line),
    '',
    ...(flagsOnly ? [] : precedence),
  ].join('\n')
}

const aboutSources = [
  ['--config FILE', 'A YAML file with settings: log-level: info, or log: {level: info}'],
  ['--print-config', 'Print the settings in force, each with its source, and end'],
] as const

const precedence = [
  'Every flag is also a KEDGE_ variable (--log-level: KEDGE_LOG_LEVEL) and a key of the settings file. A flag counts',
  'more than a variable, a variable more than the file.',
  '',
]

function flagForm(key: string, { type }: Setting<unknown>): string {
  return `--${flagName(key)} ${type.name}`.trim()
}

function sentence(setting: Setting<unknown>): string {
  const shown = setting.required ? 'required' : defaultText(setting)
  return shown === '' ? setting.help : `${setting.help} (${setting.required ? shown : `default: ${shown}`})`
}

function defaultText({ default: text }: Setting<unknown>): string {
  if (text === undefined) return ''
  return typeof text === 'string' ? text : text.says
}

/** What `--print-config` says: a settings file that would do the same, each line with the source of its value. */
export function printedConfig<T extends Table>({ table }: Program<T>, entries: readonly Entry[]): string {
  const rows = Object.entries(table).map(([key, setting]): readonly [string, string] => {
    const name = flagName(key)
    const entry = entries.find((each) => each.name === name)
    if (entry === undefined) return [`# ${name}:`, 'not set']
    return [`${name}: ${setting.secret ? '"(hidden)"' : scalar(entry.text)}`, entry.source]
  })
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, source]) => `${left.padEnd(width)}  # ${source}\n`).join('')
}

/** A YAML scalar: as it is where nothing in it means more than itself, else in double quotes. */
function scalar(text: string): string {
  return /^[\w/][\w/.:@-]*$/.test(text) && !text.endsWith(':') ? text : JSON.stringify(text)
}

/** All faults of a program's settings at once, one line each. */
export function faultsText(name: string, faults: readonly Fault[]): string {
  const count = faults.length === 1 ? 'a setting is wrong' : `${faults.length} settings are wrong`
  return [`${count}:`, ...faults.map(faultLine), `${name} --help lists all settings`].join('\n  ')
}

function faultLine({ name, found, source, advice }: Fault): string {
  return `${name}: ${found}${source === undefined ? '' : ` (${source})`}; ${advice}`
}

/** The table of a program's settings in Markdown. */
export function markdownTable({ table }: { table: Table }): string {
  const rows = Object.entries(table).map(([key, setting]) => [
    `\`${flagForm(key, setting).replaceAll('|', '\\|')}\``,
    `\`${variableName(key)}\``,
    setting.required
      ? 'required'
      : typeof setting.default === 'string'
        ? `\`${setting.default}\``
        : defaultText(setting),
    `${setting.help}${setting.secret ? ' (secret)' : ''}`,
  ])
  const lines = [['Flag', 'Variable', 'Default', 'What it is'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const rule = widths.map((width) => '-'.repeat(width))
  const [header = [], ...others] = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  return [header, rule, ...others].map((row) => `| ${row.join(' | ')} |\n`).join('')
}
