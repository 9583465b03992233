import { backup } from '../apiserver/backup.ts'
import { apiServerDir, defaultData } from '../settings.ts'
import { type Around, fileCommand } from './file-command.ts'

const help = `Usage: cloudcore backup --to FILE [flags]

Writes all that the embedded Kubernetes API is, its objects, its certificate authorities and the administrator's token,
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
  const { objects, revision, keyElsewhere } = backup({ dir: apiServerDir(data), to: file, force, now })
  const missing = keyElsewhere
    ? 'Not in it is the file of --ca-key-file, which its certificate authorities are sealed with: keep a copy of that, too\n'
    : ''
  return `${objects} objects as of resourceVersion ${revision} are in ${file}\n${missing}`
}
