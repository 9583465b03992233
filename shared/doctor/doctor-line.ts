import { UserError } from '../errors.ts'

export interface DoctorLine {
  output: 'table' | 'json'
  help: boolean
  /** The flags of the program itself. */
  rest: string[]
}

/** Takes `-o json`, `--output json` and `--help` off a command line. Throws a UserError for another format. */
export function doctorLine(argv: readonly string[]): DoctorLine {
  const { values, rest } = takeValues(argv, { '-o': 'output', '--output': 'output' })
  const { output = 'table' } = values
  if (output !== 'table' && output !== 'json') throw new UserError(`--output: found "${output}"; give table or json`)
  const help = rest.some((word) => word === '-h' || word === '--help')
  return { output, help, rest }
}

/** Takes `FLAG VALUE` and `FLAG=VALUE` off a command line, for those flags that `names` knows. */
export function takeValues(
  argv: readonly string[],
  names: Readonly<Record<string, string>>,
): { values: Record<string, string>; rest: string[] } {
  const values: Record<string, string> = {}
  const rest: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    const [flag = '', ...inline] = word.split('=')
    const name = names[flag]
    if (name === undefined) rest.push(word)
    else values[name] = inline.length > 0 ? inline.join('=') : (argv[++at] ?? '')
  }
  return { values, rest }
}
