// Starts edgecore in a container. With JOIN_URL=mqtts://HOST:8883 and no identity yet it joins first, with the token in
// the file that JOIN_TOKEN_FILE names, waiting for that file and for cloudcore as long as it takes. A file broker-ca.pem
// beside it vouches for the broker that carries the link then.
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const { JOIN_URL: url, JOIN_TOKEN_FILE: file = '/run/kedge/token', KEDGE_DATA } = process.env
const data = KEDGE_DATA || '/var/lib/kedge/edgecore'
const [command = '-'] = process.argv.slice(2)
// `docker run kedge/edgecore get pods` is for reading, not for running.
const runs = command.startsWith('-') && !['-h', '--help', '--version', '--print-config'].includes(command)

if (url && runs && !existsSync(`${data}/identity.pem`)) await joined()
const ca = `${dirname(file)}/broker-ca.pem`
if (existsSync(ca)) process.env.KEDGE_CLOUD_TLS_CA ||= ca
await import('./edgecore.js')

async function joined() {
  const { spawn } = await import('node:child_process')
  const { once } = await import('node:events')
  // Node.js as the first process of a container has no default for signals.
  const stop = () => process.exit(0)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
  if (!existsSync(file)) process.stderr.write(`waiting for a join token in ${file}\n`)
  while (!existsSync(file)) await sleep(500)
  const program = new URL('edgecore.js', import.meta.url).pathname
  const args = ['join', url, '--token-file', file, '--data', data]
  for (;;) {
    const [code] = await once(spawn(process.execPath, [program, ...args], { stdio: 'inherit' }), 'close')
    if (code === 0) break
    // Refused: a person has to mend something, and whoever supervises decides when to try again.
    if (code === 2) process.exit(2)
    await sleep(2000)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, stop)
}
