import { EmbeddedLink } from '@kedge/cloudcore/link/embedded'
import { CloudLink } from '@kedge/edgecore/link/link'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { expect, onTestFinished, test } from 'vitest'
import { applied } from '../contract/link/cloud.ts'
import { CutLink } from '../support/cut-link.ts'
import { eventually } from '../support/eventually.ts'

test('an idle link costs a few bytes, and both ends notice when it is dead, also while they write', async () => {
  const heard: string[] = []
  const cloud = await EmbeddedLink.open({
    ...{ host: '127.0.0.1', port: 0, clock: systemClock, log: silentLog },
    events: {
      onUp: () => heard.push('cloud up'),
      onDown: () => heard.push('cloud down'),
      onFrame: () => {},
      onMalformed: () => {},
    },
  })
  onTestFinished(() => cloud.stop())
  const network = await CutLink.open()
  onTestFinished(() => network.stop())
  network.target = cloud.port
  const edge = new CloudLink({
    ...{ url: network.url, node: 'edge-1', keepAlive: 1000, clock: systemClock, random: () => 0, log: silentLog },
    onUp: () => heard.push('edge up'),
    onDown: () => heard.push('edge down'),
    ...{ onFrame: () => {}, onMalformed: () => {} },
  })
  edge.start()
  onTestFinished(() => edge.stop())
  await eventually(() => heard.includes('cloud up') && heard.includes('edge up'))

  // From one ping to the next: PINGREQ and PINGRESP are two bytes each (MQTT 3.1.1, 3.12 and 3.13).
  const settled = { ...network.carried }
  await eventually(() => network.carried.down > settled.down)
  const first = { ...network.carried }
  await eventually(() => network.carried.down > first.down)
  expect({ up: network.carried.up - first.up, down: network.carried.down - first.down }).toEqual({ up: 2, down: 2 })

  network.stall()
  const writing = setInterval(() => edge.send(applied(1)), 50)
  onTestFinished(() => clearInterval(writing))
  await eventually(() => heard.includes('edge down') && heard.includes('cloud down'))
  // The next try hangs already.
  network.cut()
  network.heal()
  await eventually(() => heard.filter((each) => each === 'cloud up').length === 2 && edge.up)
})
