import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brokerAccess } from '@kedge/cloudcore/link/broker-access'
import { cloudcoreProgram } from '@kedge/cloudcore/settings'
import { cloudAccess } from '@kedge/edgecore/link/access'
import { startOf } from '@kedge/shared/load-settings'
import { expect, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

function file(text: string): string {
  const path = join(tempDir(), 'file')
  writeFileSync(path, text)
  return path
}

test('the access to a broker comes from files, a password without the end of its line', () => {
  const linkBroker = 'mqtts://broker:8883'
  const files = { linkBrokerPasswordFile: file('se cret\r\n'), linkBrokerTlsCa: file('PEM\n') }
  expect(brokerAccess({ linkBroker, linkBrokerUsername: 'me', ...files })).toMatchObject({
    ...{ url: linkBroker, user: 'me', password: 'se cret', ca: 'PEM\n', cert: undefined },
  })
  expect(brokerAccess({})).toBeUndefined()
  expect(cloudAccess({ cloudPasswordFile: file('x\n') })).toEqual({ password: 'x', ca: undefined })
})

test('a file that cannot be read is named with its flag', () => {
  const missing = join(tempDir(), 'none')
  expect(() => brokerAccess({ linkBroker: 'mqtt://b:1', linkBrokerTlsKey: missing })).toThrow(
    /--link-broker-tls-key: ENOENT.*none/,
  )
  expect(() => cloudAccess({ cloudPasswordFile: missing })).toThrow(/--cloud-password-file: ENOENT.*none/)
})

test('settings of the broker that do not belong together are refused, each with what to do', async () => {
  const faults = (...argv: string[]) =>
    startOf(cloudcoreProgram, { argv: ['--standalone', ...argv], env: {}, read: () => '' }).then(
      () => 'none',
      (error: Error) => error.message,
    )
  const broker = ['--link-broker', 'mqtt://b:1884']
  expect(await faults(...broker, '--link-broker-username', 'me', '--link-broker-password-file', 'p')).toBe('none')
  expect(await faults('--link-broker-username', 'me')).toContain('give --link-broker mqtt://HOST:PORT, too')
  expect(await faults(...broker, '--link-broker-password-file', 'p')).toContain('give --link-broker-username NAME, too')
  expect(await faults(...broker, '--link-broker-tls-key', 'k')).toContain('give --link-broker-tls-cert PATH, too')
  expect(await faults(...broker, '--link-broker-tls-cert', 'c')).toContain('give --link-broker-tls-key PATH, too')
  // It would be logged.
  expect(await faults('--link-broker', 'mqtt://me:secret@b:1884')).toContain('link-broker')
})
