import { age, humanDuration } from '@kedge/shared/kubeapi/human-duration'
import { describe, expect, it } from 'vitest'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('human durations', () => {
  it.each([
    [-5 * second, '<invalid>'],
    [-1900, '0s'],
    [-second, '0s'],
    [0, '0s'],
    [999, '0s'],
    [5 * second, '5s'],
    [119 * second, '119s'],
    [120 * second, '2m'],
    [123 * second, '2m3s'],
    [9 * minute + 59 * second, '9m59s'],
    [10 * minute + 59 * second, '10m'],
    [179 * minute, '179m'],
    [180 * minute, '3h'],
    [200 * minute, '3h20m'],
    [8 * hour + 59 * minute, '8h'],
    [47 * hour, '47h'],
    [48 * hour, '2d'],
    [51 * hour, '2d3h'],
    [8 * day + 5 * hour, '8d'],
    [45 * day, '45d'],
    [729 * day, '729d'],
    [730 * day, '2y'],
    [735 * day, '2y5d'],
    [8 * 365 * day + day, '8y'],
  ])('%d ms are %s', (ms, text) => expect(humanDuration(ms)).toBe(text))

  it.each([
    ['2026-01-01T00:00:00Z', '5m'],
    ['2026-01-01T00:00:00.123456Z', '4m59s'],
    [undefined, '<unknown>'],
    [null, '<unknown>'],
    ['', '<unknown>'],
    ['yesterday', '<invalid>'],
  ])('age of %s is %s', (timestamp, text) => expect(age(timestamp, Date.parse('2026-01-01T00:05:00Z'))).toBe(text))
})
