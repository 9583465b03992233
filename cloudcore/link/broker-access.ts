import { readFileSync } from 'node:fs'
import { explain, UserError } from '@kedge/shared/errors'
import type { CloudcoreSettings } from '../settings.ts'

/** How to reach the broker that carries the link. */
export interface BrokerAccess {
  /** `mqtt://host:port` or `mqtts://host:port`. */
  url: string
  user: string | undefined
  password: string | undefined
  /** PEM. */
  ca: string | undefined
  cert: string | undefined
  key: string | undefined
}

/** The settings that say which broker carries the link, and how cloudcore shows itself there. */
export type BrokerSettings = Pick<
  CloudcoreSettings,
  | 'linkBroker'
  | 'linkBrokerUsername'
  | 'linkBrokerPasswordFile'
  | 'linkBrokerTlsCa'
  | 'linkBrokerTlsCert'
  | 'linkBrokerTlsKey'
>

/** What the settings and their files say; undefined when cloudcore's own broker carries the link. */
export function brokerAccess(settings: Partial<BrokerSettings>): BrokerAccess | undefined {
  if (settings.linkBroker === undefined) return undefined
  return {
    url: settings.linkBroker,
    user: settings.linkBrokerUsername,
    password: textOf(settings.linkBrokerPasswordFile, '--link-broker-password-file')?.replace(/\r?\n$/, ''),
    ca: textOf(settings.linkBrokerTlsCa, '--link-broker-tls-ca'),
    cert: textOf(settings.linkBrokerTlsCert, '--link-broker-tls-cert'),
    key: textOf(settings.linkBrokerTlsKey, '--link-broker-tls-key'),
  }
}

function textOf(path: string | undefined, flag: string): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`${flag}: ${explain(error)}`)
  }
}
