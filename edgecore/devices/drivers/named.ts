import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { codeOf } from '@kedge/shared/errors'
import { type Address, valueType } from '@kedge/shared/setting-types'
import { driversOf, type NamedDriver } from './catalog.ts'
import type { LazyDriver } from './driver.ts'

/** `NAME=PACKAGE`, `NAME=./file.js` or `NAME=none`, several with commas between them. */
export const namedDrivers = valueType(
  'NAME=FROM',
  'NAME=PACKAGE, NAME=./file.js or NAME=none, several with commas between them',
  (text) => {
    const all = text.split(',').map((each) => readNamed(each.trim()))
    return all.includes(undefined) ? undefined : (all as NamedDriver[])
  },
)

function readNamed(text: string): NamedDriver | undefined {
  const [, name, from] = /^([\w.-]+)=(\S+)$/.exec(text) ?? []
  if (name === undefined || from === undefined) return undefined
  return { name, from: /^\.{0,2}\//.test(from) ? resolve(from) : from }
}

/**
 * Loads a module: a file or folder by its path, or a package, which is looked for beside edgecore and then below the
 * folder that edgecore runs in.
 */
export async function importDriver(from: string): Promise<unknown> {
  const here = createRequire(join(process.cwd(), 'edgecore.js'))
  if (isAbsolute(from)) return import(pathToFileURL(here.resolve(from)).href)
  try {
    return await import(from)
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error
    return import(pathToFileURL(here.resolve(from)).href)
  }
}

/** What the settings say of drivers, in the form in which the devices are started with it. */
export function driverOptions(settings: { driver?: NamedDriver[] | undefined; webhookAddress?: Address | null }): {
  drivers: LazyDriver[]
  webhookAddress?: Address | null
} {
  const { driver = [], webhookAddress } = settings
  const drivers = driversOf(driver, importDriver)
  return webhookAddress === undefined ? { drivers } : { drivers, webhookAddress }
}
