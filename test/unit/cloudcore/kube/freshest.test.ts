import { Freshest } from '@kedge/cloudcore/kube/freshest'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

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
