import { type Entry, Registry } from '@kedge/edgecore/devices/registry'
import { expect, test } from 'vitest'

function entry(id: string): Entry {
  const [namespace = '', name = ''] = id.split('/')
  const described = { device: undefined, deviceModel: undefined, model: new Map(), problem: undefined }
  return {
    id,
    namespace,
    name,
    uid: id,
    state: 'unknown',
    lastOnline: null,
    heard: null,
    twins: new Map(),
    refused: '',
    pushFaults: '',
    ...described,
  }
}

function holding(...ids: string[]): Registry {
  const registry = new Registry()
  for (const id of ids) registry.add(entry(id))
  return registry
}

const bare = { namespace: undefined, name: 'lamp' }

test.each([
  [['a/lamp'], 'a/lamp'],
  [['a/lamp', 'default/lamp'], 'default/lamp'],
  [['a/lamp', 'b/lamp'], undefined],
  [['a/fan'], undefined],
])('of %j a bare name means %s', (ids, expected) => {
  expect(holding(...ids).find(bare)?.id).toBe(expected)
})

test('a bare name is served for the device that it means, and follows when devices come and go', () => {
  const registry = holding('a/lamp')
  const forms = (id: string) => registry.namesOf(registry.get(id) ?? entry(id)).length
  expect(forms('a/lamp')).toBe(2)
  registry.add(entry('default/lamp'))
  expect([forms('a/lamp'), forms('default/lamp')]).toEqual([1, 2])
  registry.remove('default/lamp')
  expect(forms('a/lamp')).toBe(2)
})

test('adding a device again replaces it', () => {
  const registry = holding('a/lamp', 'a/lamp')
  expect([...registry.all()]).toHaveLength(1)
  expect(registry.find(bare)?.id).toBe('a/lamp')
})

test('an ambiguous name is told apart from an unknown one', () => {
  expect(holding('b/lamp', 'a/lamp').missing(bare, 'unknown').reason).toContain('a/lamp, b/lamp')
  expect(holding().missing(bare, 'unknown')).toEqual({ code: 404, reason: 'unknown' })
})
