import { readFileSync, writeFileSync } from 'node:fs'
import { cloudcoreProgram } from '@kedge/cloudcore/settings'
import { edgecoreProgram } from '@kedge/edgecore/settings'
import { markdownTable } from '@kedge/shared/settings-text'
import { fleetProgram } from './fleet/layout.ts'

const tables: Record<string, string> = {
  cloudcore: markdownTable(cloudcoreProgram),
  edgecore: markdownTable(edgecoreProgram),
  // npm start reads no variables.
  fleet: markdownTable(fleetProgram).replaceAll(/^(\|.*?\|).*?\|/gm, '$1'),
}

/**
 * A Markdown text with the tables of settings in their places, between `<!-- settings: cloudcore -->` and
 * `<!-- /settings -->`. Throws for a name that no table has.
 */
export function withTables(markdown: string): string {
  return markdown.replaceAll(/(<!-- settings: (\w+) -->\n)[\s\S]*?(<!-- \/settings -->)/g, (_, head, name, tail) => {
    const table = tables[name]
    if (table === undefined) throw new Error(`no settings table "${name}": there are ${Object.keys(tables).join(', ')}`)
    return `${head}\n${table}\n${tail}`
  })
}

/** Prints the tables, or renews them in the files that are named. */
function main(files: readonly string[]): void {
  for (const file of files) writeFileSync(file, withTables(readFileSync(file, 'utf8')))
  if (files.length > 0) return
  for (const [name, table] of Object.entries(tables)) process.stdout.write(`${name}\n\n${table}\n`)
}

if (process.argv[1] === import.meta.filename) main(process.argv.slice(2))
