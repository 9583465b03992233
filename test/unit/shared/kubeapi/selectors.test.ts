import {
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  selectedName,
} from '@kedge/shared/kubeapi/selectors'
import { describe, expect, it } from 'vitest'

const labels = { app: 'web', tier: 'front', 'example.com/size': '3' }

describe('label selectors', () => {
  it.each([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app!=web', false],
    ['app', true],
    ['!app', false],
    ['none', false],
    ['!none', true],
    ['none!=x', true],
    ['app in (web, api)', true],
    ['app notin (web,api)', false],
    ['none notin (web)', true],
    ['none in (web)', false],
    ['app=web,tier=back', false],
    ['app=web, tier in (front,back), !none', true],
    ['example.com/size>2', true],
    ['example.com/size<3', false],
    ['app=', false],
  ])('%s', (text, expected) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected)
  })

  it('selects objects without labels by what they lack', () => {
    expect(matchesLabels(parseLabelSelector('!app'), undefined)).toBe(true)
    expect(matchesLabels(parseLabelSelector('app'), undefined)).toBe(false)
  })

  it('does not find what every object inherits', () => {
    expect(matchesLabels(parseLabelSelector('constructor'), {})).toBe(false)
  })

  it.each(['app=web,', '=', 'a b', 'app in web', 'app in (web', 'app=%', 'a>x', `${'a'.repeat(400)}=b`])(
    'refuses %s',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(/unable to parse requirement/)
    },
  )
})

const pod = { metadata: { name: 'p', namespace: 'a' }, spec: { nodeName: 'n,1' }, status: { phase: 'Running' } }
const known = { selectableFields: ['spec.nodeName', 'status.phase', 'spec.schedulerName'], custom: false }
const plain = { selectableFields: [], custom: false }

describe('field selectors', () => {
  it.each([
    ['', true],
    ['metadata.name=p', true],
    ['metadata.name==p,metadata.namespace=a', true],
    ['metadata.name!=p', false],
    ['spec.nodeName=n\\,1', true],
    ['spec.nodeName=', false],
    ['spec.schedulerName=', true],
    ['status.phase!=Failed,status.phase!=Succeeded', true],
  ])('%s', (text, expected) => {
    expect(matchesFields(parseFieldSelector(text, known), pod)).toBe(expected)
  })

  it('refuses fields that the kind cannot be selected by', () => {
    expect(() => parseFieldSelector('spec.hostname=x', known)).toThrow('field label not supported: spec.hostname')
    expect(() => parseFieldSelector('metadata.name', known)).toThrow(/invalid selector/)
    expect(() => parseFieldSelector('data.a=b', { ...plain, custom: true })).toThrow(
      'field label not supported: data.a',
    )
    expect(() => parseFieldSelector('data.a=b', plain)).toThrow(
      '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )
  })

  it('knows the one name that can match', () => {
    expect(selectedName(parseFieldSelector('metadata.name=x', plain))).toBe('x')
    expect(selectedName(parseFieldSelector('metadata.name!=x', plain))).toBeUndefined()
  })
})
