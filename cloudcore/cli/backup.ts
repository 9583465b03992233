import { backup } from '../apiserver/backup.ts'
import { apiServerDir, defaultData } from '../settings.ts'
import { type Around, fileCommand } from './file-command.ts'

const help = `Usage: cloudcore backup --to FILE [flags]

Writes all that the embedded Kubernetes API is, its objects, its certificate authority and the administrator's token,
into one file, whether cloudcore runs or not. Whoever can read that file is an administrator.

      --to FILE     The file to write; it appears complete or not at all
      --data PATH   The data folder of cloudcore (default: KEDGE_DATA, else ${defaultData})
      --force       Replace a file of that name
  -h, --help        Print this and end
`

/** `cloudcore backup …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export function backupCommand(argv: readonly string[], { env, now }: Around): string {
  const command = fileCommand(argv, env, { name: 'backup', flag: 'to' })
  if (command === undefined) return help
  const { file, data, force } = command
  const { objects, revision } = backup({ dir: apiServerDir(data), to: file, force, now })
  return `${objects} objects as of resourceVersion ${revision} are in ${file}\n`
}
