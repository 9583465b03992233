import { readFileSync } from 'node:fs'
import { explain, UserError } from '@kedge/shared/errors'
import type { EdgecoreSettings } from '../settings.ts'
import type { CloudAccess } from './link.ts'

export type CloudAccessSettings = Partial<Pick<EdgecoreSettings, 'cloudPasswordFile' | 'cloudTlsCa'>>

/** How this node shows itself to the broker of the cloud, from the files that the settings name. */
export function cloudAccess({ cloudPasswordFile, cloudTlsCa }: CloudAccessSettings): CloudAccess {
  return {
    password: textOf(cloudPasswordFile, '--cloud-password-file')?.replace(/\r?\n$/, ''),
    ca: textOf(cloudTlsCa, '--cloud-tls-ca'),
  }
}

function textOf(path: string | undefined, flag: string): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`${flag}: ${explain(error)}`)
  }
}
