import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '@kedge/shared/must'
import { sleep } from '@kedge/shared/service'
import { authority, certificatePem, day, holder, keyPem, makeCertificate, server } from '../../support/certificates.ts'
import { clientAuth, extensions } from '../../support/csr.ts'
import { findMosquitto, Mosquitto } from '../../support/mosquitto.ts'
import { tempDir, type WhenOver } from '../../support/temp-dir.ts'
import type { LinkBroker } from './world.ts'

const deployed = join(import.meta.dirname, '../../../deploy/mosquitto')

/** Whether there is a mosquitto on this machine. */
export const hasMosquitto = findMosquitto() !== undefined

/** mosquitto with TLS: configuration and access list are those of deploy/mosquitto, with other paths. */
export async function startTlsBroker(whenOver: WhenOver): Promise<LinkBroker> {
  const dir = tempDir(whenOver)
  const file = (name: string) => join(dir, name)
  const write = (name: string, text: string) => writeFileSync(file(name), text, { mode: 0o600 })
  const times = { from: Date.now() - day, to: Date.now() + day }
  const [ca, broker, cloudcore] = [holder('Brokers'), holder('localhost'), holder('cloudcore')]
  const caPem = certificatePem(makeCertificate({ holder: ca, ...times, extensions: authority() }))
  const clientUse = [extensions.keyUsage(0x80), extensions.uses(clientAuth)]
  const signed = (holder: typeof ca, extensions: readonly Buffer[]) =>
    certificatePem(makeCertificate({ holder, issuer: ca, ...times, extensions })) + caPem
  write('ca.pem', caPem)
  write('kedge-roots.pem', caPem)
  write('kedge-broker.pem', signed(broker, server('localhost')))
  write('kedge-broker.key', keyPem(broker))
  write('cloudcore.pem', signed(cloudcore, clientUse))
  write('cloudcore.key', keyPem(cloudcore))
  const accessList = (nodes: readonly string[]) => {
    const input = nodes.map((node) => `node-identity-${node}\t\n`).join('')
    write('kedge.acl', execFileSync(join(deployed, 'kedge-acl'), ['-'], { input, encoding: 'utf8' }))
  }
  accessList([])
  const lines = readFileSync(join(deployed, 'kedge.conf'), 'utf8').replaceAll('/etc/mosquitto/', `${dir}/`).split('\n')
  const settings = lines.filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('listener'))
  const mosquitto = await Mosquitto.start(must(findMosquitto(), 'mosquitto'), settings, whenOver)
  whenOver(() => mosquitto.down())
  return {
    url: `mqtts://localhost:${mosquitto.port}`,
    ...{ ca: file('ca.pem'), cert: file('cloudcore.pem'), key: file('cloudcore.key') },
    admit: async (roots, nodes) => {
      write('kedge-roots.pem', `${roots}${caPem}`)
      // Authorities are read at the start, the list of topics again at any time.
      await mosquitto.down()
      while (!(await mosquitto.up())) await sleep(10)
      accessList(nodes)
      mosquitto.reload()
    },
  }
}
