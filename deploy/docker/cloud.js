// Starts cloudcore in the fleet of docker-compose.yaml. FLEET_PROFILES says which of its profiles are in use: with `k3s` the
// cluster takes the place of the embedded API, with `mosquitto` that broker carries the link. Other services write what is
// needed for that to /run/kedge; it waits for the last of their files.
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const given = '/run/kedge'
const profiles = (process.env.FLEET_PROFILES ?? '').split(',').map((name) => name.trim())
// Node.js as the first process of a container has no default for signals.
const stop = () => process.exit(0)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

if (profiles.includes('k3s')) {
  await written(`${given}/kubeconfig`)
  process.argv.push('--kubeconfig', `${given}/kubeconfig`, '--no-install-crds')
} else process.argv.push('--standalone')

if (profiles.includes('mosquitto')) {
  await written(`${given}/cloudcore.key`)
  process.argv.push('--link-broker', 'mqtts://broker:8883', '--link-broker-tls-ca', `${given}/broker-ca.pem`)
  process.argv.push('--link-broker-tls-cert', `${given}/cloudcore.pem`)
  process.argv.push('--link-broker-tls-key', `${given}/cloudcore.key`)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, stop)
await import('./cloudcore.js')

async function written(file) {
  if (!existsSync(file)) process.stderr.write(`waiting for ${file}\n`)
  while (!existsSync(file)) await sleep(200)
}
