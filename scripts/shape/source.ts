/** One import of a file. */
export interface Import {
  /** As it is written: `./x.ts`, `@kedge/shared/x`, `zod`. */
  from: string
  /** Types alone: nothing of it is left when the program runs. */
  typesOnly: boolean
}

/** The imports and re-exports of a module, dynamic ones included. */
export function importsOf(source: string): Import[] {
  const code = withoutComments(source)
  const found: Import[] = []
  for (const [, keyword, rest = '', from = ''] of code.matchAll(
    /^(import|export)\b((?:(?!^(?:import|export)\b)[^;'"`])*?\bfrom\s*|\s*)['"]([^'"]+)['"]/gm,
  )) {
    if (keyword === 'export' && !rest.includes('from')) continue
    found.push({ from, typesOnly: /^\s+type\b/.test(rest) })
  }
  for (const [, from = ''] of code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g))
    found.push({ from, typesOnly: false })
  return found
}

function withoutComments(source: string): string {
  return source.replaceAll(/^\s*\/\/.*$/gm, '').replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '')
}

export interface Named {
  name: string
  /** From its first line to its closing brace. */
  lines: number
}

const starts = [
  /^(\s*)(?:export )?(?:default )?(?:async )?function\*? ?([\w$]+)/,
  /^(\s*)(?:export )?const ([\w$]+)(?:: .+)? = (?:async )?(?:<.*>)?\(.*\).* => \{$/,
  /^(\s+)(?:(?:private|static|async|override|get|set) )*\*?([#\w$]+)(?:<.*>)?\([^;]*\{$/,
  /^(\s+)(?:(?:private|static|async|override) )*\*?([#\w$]+)\($/,
]
const words = new Set([
  'if',
  'for',
  'while',
  'switch',
  'catch',
  'return',
  'function',
  'await',
  'expect',
  'test',
  'describe',
])

/**
 * The named functions and methods of a file. It leans on the formatter: a function ends at the first line that has
 * its indentation and begins with a closing brace.
 */
export function functionsOf(source: string): Named[] {
  const lines = source.split('\n')
  return lines.flatMap((line, at) => {
    const [, indent = '', name = ''] = starts.map((start) => start.exec(line)).find((match) => match !== null) ?? []
    if (name === '' || words.has(name)) return []
    // Either "… {" to "}", or parameters on lines of their own: "(" to "): T {" to "}".
    let end = at
    do end = lines.findIndex((each, index) => index > end && closes(each, indent))
    while (end !== -1 && lines[end]?.startsWith(`${indent})`) && lines[end]?.endsWith('{'))
    return end === -1 ? [] : [{ name, lines: end - at + 1 }]
  })
}

function closes(line: string, indent: string): boolean {
  return line.startsWith(`${indent}}`) || line.startsWith(`${indent})`)
}
