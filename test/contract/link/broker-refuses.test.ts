import { ExternalLink } from '@kedge/cloudcore/link/external'
import { CloudLink } from '@kedge/edgecore/link/link'
import { systemClock } from '@kedge/shared/clock'
import { openLog, silentLog } from '@kedge/shared/log'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { linkBrokerMissing, startLinkBroker } from '../../support/link-broker.ts'

const tls = { ca: undefined, cert: undefined, key: undefined }
const events = { onUp: () => {}, onDown: () => {}, onFrame: () => {}, onMalformed: () => {} }
const common = { clock: systemClock, random: () => 0 }

describe.skipIf(linkBrokerMissing !== undefined)(`a broker that refuses (${linkBrokerMissing ?? 'mosquitto'})`, () => {
  test('is told to people, and never with the password', async () => {
    const broker = await startLinkBroker(['cloudcore', 'edge-1'])
    onTestFinished(() => broker.down())
    const url = `mqtt://127.0.0.1:${broker.port}`
    const said: string[] = []
    const log = openLog({ level: 'debug', program: 'test', version: '0', to: { write: (line) => said.push(line) } })
    const access = { url, user: 'cloudcore', password: 'pass-wrong' }
    const link = new ExternalLink({ broker: { ...access, ...tls }, events, ...common, log })
    onTestFinished(() => link.stop())
    await eventually(() => /not authorized/i.test(link.notReady().join()))

    const edge = new CloudLink({
      ...{ url, node: 'edge-1', access: { password: 'pass-wrong' }, ...common, log },
      ...events,
    })
    edge.start()
    onTestFinished(() => edge.stop())
    await eventually(() => said.some((line) => line.includes('link down') && /not authorized/i.test(line)))
    expect(said.join('')).not.toContain('pass-wrong')
  })

  test('is tried again until it is there', async () => {
    const broker = await startLinkBroker(['cloudcore'])
    onTestFinished(() => broker.down())
    await broker.down()
    const access = { url: `mqtt://127.0.0.1:${broker.port}`, user: 'cloudcore', password: 'cloudcore' }
    const link = new ExternalLink({ broker: { ...access, ...tls }, events, ...common, log: silentLog })
    onTestFinished(() => link.stop())
    await eventually(() => /ECONNREFUSED/.test(link.notReady().join()))
    await broker.up()
    await eventually(() => link.notReady().length === 0)
  })
})
