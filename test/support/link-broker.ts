import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findMosquitto, Mosquitto } from './mosquitto.ts'
import { tempDir } from './temp-dir.ts'

const deployed = join(import.meta.dirname, '../../deploy/mosquitto')
const program = findMosquitto()

/** Why there is no mosquitto to carry the link, or undefined. */
export const linkBrokerMissing = program === undefined ? 'skipped: no mosquitto' : undefined

/** A mosquitto with the configuration and the ACL of deploy/mosquitto. The password of every user is its name. */
export function startLinkBroker(users: readonly string[]): Promise<Mosquitto> {
  const dir = tempDir()
  const [passwords, acl] = [join(dir, 'passwords'), join(dir, 'acl')]
  writeFileSync(passwords, users.map((user) => `${user}:${user}\n`).join(''), { mode: 0o600 })
  execFileSync('mosquitto_passwd', ['-U', passwords])
  writeFileSync(acl, readFileSync(join(deployed, 'kedge-passwords.acl')), { mode: 0o600 })
  const lines = readFileSync(join(deployed, 'kedge-passwords.conf'), 'utf8')
    .replace('/etc/mosquitto/kedge.passwords', passwords)
    .replace('/etc/mosquitto/kedge-passwords.acl', acl)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('listener'))
  return Mosquitto.start(program ?? '', lines)
}

/** As a crash and a restart: no last will is carried out. */
export async function restartLinkBroker(broker: Mosquitto): Promise<void> {
  await broker.down('SIGKILL')
  for (let tries = 0; !(await broker.up()); tries++) if (tries === 10) throw new Error('mosquitto does not come back')
}
