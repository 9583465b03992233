import { Histogram, metricsText, single } from '@kedge/shared/metrics'
import { expect, test } from 'vitest'

test('a histogram counts what lies at each bound or below', async () => {
  const histogram = new Histogram([0.1, 1, 10])
  for (const value of [0.05, 0.1, 0.5, 3, 100]) histogram.observe(value)
  const gauge = single({ name: 'kedge_one', help: 'One', type: 'gauge' }, () => 1)
  const text = await metricsText([gauge, { name: 'kedge_s', help: 'Seconds', type: 'histogram', histogram }])()
  expect(text).toContain('kedge_one 1\n')
  expect(text.slice(text.indexOf('# HELP kedge_s')).split('\n')).toEqual([
    '# HELP kedge_s Seconds',
    '# TYPE kedge_s histogram',
    'kedge_s_bucket{le="0.1"} 2',
    'kedge_s_bucket{le="1"} 3',
    'kedge_s_bucket{le="10"} 4',
    'kedge_s_bucket{le="+Inf"} 5',
    'kedge_s_sum 103.65',
    'kedge_s_count 5',
    '',
  ])
})
