import { openLog } from '@kedge/shared/log'
import { expect, test } from 'vitest'

test('every line says which program of which version wrote it, when, and how grave it is', () => {
  const lines: string[] = []
  const to = { write: (line: string) => void lines.push(line) }
  const log = openLog({ level: 'info', program: 'edgecore', version: '1.2.3', to }).child({ node: 'edge-1' })
  log.debug({}, 'not told')
  log.warn({ reason: 'cut' }, 'link down')
  const [line, ...more] = lines.map((text) => JSON.parse(text) as { time: string })
  expect(more).toEqual([])
  expect(line).toEqual({
    ...{ level: 'warn', program: 'edgecore', version: '1.2.3', node: 'edge-1', msg: 'link down', reason: 'cut' },
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  })
})
