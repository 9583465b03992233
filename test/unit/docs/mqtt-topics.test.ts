import { readFileSync } from 'node:fs'
import { badKey, malformed, noTwin } from '@kedge/edgecore/devices/messages'
import { deviceAnswers, deviceRequests, deviceTopic, isAnswer, nodeTopic } from '@kedge/shared/device-topics'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../../docs/mqtt-topics.md', import.meta.url), 'utf8')

/** The topics in the table of a section. */
function listed(heading: string): string[] {
  const section = page.slice(page.indexOf(heading)).split('\n## ', 1).join('')
  return [...section.matchAll(/^\| `(\$hw[^`]+)`/gm)].map(([, topic]) => topic ?? '')
}

const device = { namespace: undefined, name: '<device>' }
const node = (['membership/get', 'membership/get/result', 'membership/updated'] as const).map((action) => ({
  action,
  topic: nodeTopic('<node>', action),
}))

test('docs/mqtt-topics.md lists every topic that is served', () => {
  const asked = node.filter(({ action }) => !isAnswer(action)).map(({ topic }) => topic)
  expect(listed('What a client publishes')).toEqual([
    ...deviceRequests.map((each) => deviceTopic(device, each)),
    ...asked,
  ])
  const told = node.filter(({ action }) => isAnswer(action)).map(({ topic }) => topic)
  expect(listed('What edgecore publishes')).toEqual([
    ...deviceAnswers.map((each) => deviceTopic(device, each)),
    ...told,
  ])
})

test("docs/mqtt-topics.md has KubeEdge's texts as they are sent", () => {
  expect(page).toContain(`\`${malformed}\``)
  expect(page).toContain(`\`${noTwin}\``)
  expect(page).toContain(badKey.slice(0, 30))
})
