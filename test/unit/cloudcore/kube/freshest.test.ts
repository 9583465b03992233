import { Freshest } from '@kedge/cloudcore/kube/freshest'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

const key = 'pods/default/p'
const copy = (resourceVersion: string, uid = 'u'): KubeObject => ({ metadata: { name: 'p', uid, resourceVersion } })

test('an answer counts until the watch has caught up', () => {
  let watched: KubeObject | undefined = copy('9')
  const freshest = new Freshest(() => watched)
  freshest.remember('p', copy('10'))
  expect(freshest.get('p')?.metadata.resourceVersion).toBe('10')
  watched = copy('11')
  expect(freshest.get('p')?.metadata.resourceVersion).toBe('11')
  watched = copy('9')
  expect(freshest.get('p')?.metadata.resourceVersion).toBe('9')
})

test('an answer counts no more once the watch has told of a server that was put back', () => {
  let watched: KubeObject | undefined = copy('9')
  const freshest = new Freshest(() => watched)
  freshest.remember(key, copy('12'))
  watched = copy('10')
  freshest.caughtUp({ key, before: copy('9'), after: watched })
  expect(freshest.get(key)?.metadata.resourceVersion).toBe('12')
  watched = copy('8')
  freshest.caughtUp({ key, before: copy('10'), after: watched })
  expect(freshest.get(key)?.metadata.resourceVersion).toBe('8')
})

test('an older answer, or one about what is gone or replaced, does not count', () => {
  let watched: KubeObject | undefined = copy('9')
  const freshest = new Freshest(() => watched)
  freshest.remember('p', copy('8'))
  expect(freshest.get('p')?.metadata.resourceVersion).toBe('9')
  freshest.remember('p', copy('10'))
  watched = copy('12', 'another')
  expect(freshest.get('p')?.metadata.uid).toBe('another')
  watched = undefined
  expect(freshest.get('p')).toBeUndefined()
})
