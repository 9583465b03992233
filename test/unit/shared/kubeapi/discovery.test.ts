import { builtIns } from '@kedge/shared/kubeapi/builtins'
import {
  aggregated,
  compareVersions,
  groupDocument,
  groupList,
  paths,
  resourceList,
} from '@kedge/shared/kubeapi/discovery'
import { must } from '@kedge/shared/must'
import { describe, expect, it } from 'vitest'

describe('discovery', () => {
  it('orders versions as Kubernetes does', () => {
    const versions = ['v1alpha1', 'foo', 'v1', 'v1beta2', 'v11', 'v2', 'v1beta10', 'v2alpha1', 'bar']
    expect(versions.sort(compareVersions)).toEqual([
      'v11',
      'v2',
      'v1',
      'v1beta10',
      'v1beta2',
      'v2alpha1',
      'v1alpha1',
      'bar',
      'foo',
    ])
  })

  it('prefers the most stable version of a group', () => {
    const lease = must(
      builtIns.find(({ kind }) => kind === 'Lease'),
      'Lease',
    )
    const kinds = [{ ...lease, version: 'v1beta1' }, lease]
    expect(groupDocument(kinds, 'coordination.k8s.io')).toMatchObject({
      kind: 'APIGroup',
      versions: [{ version: 'v1' }, { version: 'v1beta1' }],
      preferredVersion: { groupVersion: 'coordination.k8s.io/v1' },
    })
  })

  it('keeps the core group out of the groups', () => {
    const { groups } = groupList(builtIns) as { groups: { name: string }[] }
    expect(groups.map(({ name }) => name)).not.toContain('')
    expect(groupDocument(builtIns, '')).toBeUndefined()
    expect(resourceList(builtIns, '', 'v2')).toBeUndefined()
    expect(paths(builtIns).paths).toContain('/apis/coordination.k8s.io/v1')
  })

  it('tells of subresources with the kind that they speak', () => {
    const core = aggregated(builtIns, { core: true, version: 'v2' }) as {
      items: { versions: { resources: unknown[] }[] }[]
    }
    expect(core.items).toHaveLength(1)
    const resources = core.items[0]?.versions[0]?.resources as { resource: string }[]
    expect(resources.find(({ resource }) => resource === 'pods')).toMatchObject({
      scope: 'Namespaced',
      subresources: expect.arrayContaining([
        expect.objectContaining({
          subresource: 'binding',
          responseKind: { group: '', version: 'v1', kind: 'Binding' },
        }),
        expect.objectContaining({ subresource: 'status', responseKind: { group: '', version: 'v1', kind: 'Pod' } }),
      ]),
    })
  })
})
