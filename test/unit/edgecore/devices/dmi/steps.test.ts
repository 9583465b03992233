import { nextStep } from '@kedge/edgecore/devices/dmi/steps'
import { expect, test } from 'vitest'

test.each([
  ['not wanted, not told', undefined, undefined, false, undefined],
  ['wanted, not told', 'a', undefined, false, 'register'],
  ['told and the same', 'a', { hash: 'a' }, true, undefined],
  ['told otherwise', 'b', { hash: 'a' }, true, 'update'],
  ['perhaps told', 'a', { hash: undefined }, false, 'register'],
  ['perhaps told otherwise, registered', 'a', { hash: undefined }, true, 'update'],
  ['not wanted, told', undefined, { hash: 'a' }, true, 'remove'],
  ['not wanted, perhaps told', undefined, { hash: undefined }, false, 'remove'],
] as const)('%s', (_, want, told, registered, step) => {
  expect(nextStep(want, told, registered)).toBe(step)
})
