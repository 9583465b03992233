import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { takeValues } from '../doctor/doctor-line.ts'
import { codeOf, explain, UserError } from '../errors.ts'
import { type TarFile, tarOf } from './tar.ts'

export interface SupportLine {
  /** Where the archive goes. */
  to: string
  /** The file of the log, where a person names it. */
  log: string | undefined
  help: boolean
  /** The flags of the program itself. */
  rest: string[]
}

/** What `support --help` says. `holds`: what is in the archive of this program, after versions, settings and the doctor. Pure. */
export function supportHelp({
  program,
  holds,
  defaultData,
}: Record<'program' | 'holds' | 'defaultData', string>): string {
  return `Usage: ${program} support [--to FILE] [flags]

Writes an archive for whoever is asked for help: versions, settings, what ${program} doctor says,
${holds}.
Passwords, tokens, keys, the values of Secrets, ConfigMaps, twins, environments and device configurations are not in it,
nor are commands and arguments of pods. It changes nothing.

      --to FILE     The archive (default: ${program}-support-TIME.tar.gz in this folder); what is there stays
      --log FILE    The log of ${program}, where it is neither in the journal nor in a file that ${program} writes itself
      --data PATH   The data folder of ${program} (default: KEDGE_DATA, else ${defaultData})
  -h, --help        Print this and end

All other flags of ${program} count as well, over those of the ${program} that runs.
`
}

/** Takes `--to FILE`, `--log FILE` and `--help` off a command line. `now`: milliseconds since the epoch. */
export function supportLine(program: string, argv: readonly string[], now: number): SupportLine {
  const { values, rest } = takeValues(argv, { '--to': 'to', '--log': 'log' })
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  const to = values.to ?? `${program}-support-${stamp}.tar.gz`
  if (to === '' || values.log === '')
    throw new UserError(`give the name of a file; ${program} support --help lists all flags`)
  return { to: resolve(to), log: values.log, help: rest.some((word) => word === '-h' || word === '--help'), rest }
}

/** Writes the archive, for its owner alone; files that are there stay. Returns what to say. Throws a UserError. */
export function writeArchive(to: string, files: readonly TarFile[], now: number): string {
  try {
    writeFileSync(to, gzipSync(tarOf(files, now / 1000)), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new UserError(`${to} is there already: give another name with --to`)
    throw new UserError(`the archive cannot be written: ${explain(error)}; give another place with --to`)
  }
  const list = files.map(({ name, content }) => `  ${name} (${Math.ceil(content.length / 1024)} KiB)\n`).join('')
  return `${to} has\n${list}Passwords, tokens, keys and values were taken out of it. Look into it before you hand it on: tar -xzf ${to}\n`
}
