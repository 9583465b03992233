import { readSimulation } from '@kedge/edgecore/pods/simulation'
import { expect, test } from 'vitest'

function read(text: string) {
  return readSimulation({ 'kedge.io/simulate': text })
}

test('without the annotation nothing is special', () => {
  expect(readSimulation({})).toEqual({ ok: true, simulation: { containers: {} } })
})

test('durations are read', () => {
  const behaviour = { exitAfter: '1m', exitCode: 3, stopAfter: '500ms' }
  expect(read(JSON.stringify({ containers: { web: behaviour }, pullTime: '2s', pullError: 'no' }))).toEqual({
    ok: true,
    simulation: {
      containers: { web: { exitAfter: 60_000, exitCode: 3, stopAfter: 500 } },
      pullTime: 2000,
      pullError: 'no',
    },
  })
})

test.each([
  ['{"containers":', 'expected object'],
  ['[]', 'expected object'],
  ['{"containers":{"web":{"exitAfter":"soon"}}}', 'containers.web.exitAfter: "soon" is not a duration'],
  ['{"containers":{"web":{"exitCode":256}}}', 'containers.web.exitCode'],
  ['{"containers":{"web":{"exit":1}}}', 'containers.web: Unrecognized key: "exit"'],
])('%s is refused with what is wrong and an example', (text, reason) => {
  const result = read(text)
  expect(result.ok ? '' : result.reason).toContain('annotation kedge.io/simulate: ')
  expect(result.ok ? '' : result.reason).toContain(reason)
  expect(result.ok ? '' : result.reason).toContain('for instance {"containers":')
})
