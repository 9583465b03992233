import { statSync } from 'node:fs'
import { explain, UserError } from '@kedge/shared/errors'
import { holdPidFile, type PidFile } from '@kedge/shared/pid-file'
import { check } from '../apiserver/backup-file.ts'
import { restore } from '../apiserver/restore.ts'
import { apiServerDir, defaultData, pidPath } from '../settings.ts'
import { type Around, fileCommand } from './file-command.ts'

const help = `Usage: cloudcore restore --from FILE [flags]

Makes the embedded Kubernetes API what it was when cloudcore backup wrote FILE: the same objects, certificate authority
and administrator's token, so that the same kubeconfig works. cloudcore must not run with that data folder.

      --from FILE   A file that cloudcore backup has written
      --data PATH   The data folder of cloudcore (default: KEDGE_DATA, else ${defaultData})
      --force       Set aside what is in the data folder, under another name beside it
  -h, --help        Print this and end
`

/** `cloudcore restore …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export function restoreCommand(argv: readonly string[], { env, now }: Around): string {
  const command = fileCommand(argv, env, { name: 'restore', flag: 'from' })
  if (command === undefined) return help
  const { file, data, force } = command
  // Before the folder is made for the pid file: a wrong file leaves no trace.
  check(file)
  refuseForeign(data)
  // cloudcore cannot start meanwhile.
  const held = hold(data)
  try {
    const { objects, made, aside } = restore({ dir: apiServerDir(data), from: file, force, now })
    const before = aside === undefined ? '' : `What was there lies in ${aside}\n`
    return `${objects} objects as of ${made} are in ${data}\n${before}Start it with: cloudcore --standalone --data ${data}\n`
  } finally {
    held.release()
  }
}

function hold(data: string): PidFile {
  try {
    return holdPidFile(pidPath(data), `the data folder ${data}`)
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`the data folder ${data} cannot be used: ${explain(error)}`, { cause: error })
  }
}

/** What another user makes there, cloudcore could not open. */
function refuseForeign(data: string): void {
  const owner = statSync(data, { throwIfNoEntry: false })?.uid
  const user = process.getuid?.()
  if (owner === undefined || user === undefined || owner === user) return
  throw new UserError(`${data} belongs to user ${owner}: run this as that user, as cloudcore does`)
}
