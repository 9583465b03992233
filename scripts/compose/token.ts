import { execFile } from 'node:child_process'
import { renameSync, statSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { codeOf } from '@kedge/shared/errors'

const hour = 3600 * 1000

export interface TokenOptions {
  /** Where edge nodes read it. */
  file: string
  /** The bundle of cloudcore, whose `token create` makes it. */
  cloudcore: string
  kubeconfig: string
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * Keeps a join token in a file that is good for a thousand nodes and at least another twelve hours. Resolves with
 * whether it is a new one; throws while cloudcore makes none.
 */
export async function keepToken({ file, cloudcore, kubeconfig, now }: TokenOptions): Promise<boolean> {
  if (now - writtenAt(file) < 12 * hour) return false
  const args = [cloudcore, 'token', 'create', '--uses', '1000', '--ttl', '24h', '--kubeconfig', kubeconfig]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const token = / --token (\S+)/.exec(stdout)?.[1]
  if (token === undefined) throw new Error('cloudcore token create printed no token')
  writeFileSync(`${file}.new`, `${token}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return true
}

/** When the file was written, in milliseconds since the epoch; long ago when there is none. */
function writtenAt(file: string): number {
  try {
    return statSync(file).mtimeMs
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0
    throw error
  }
}
