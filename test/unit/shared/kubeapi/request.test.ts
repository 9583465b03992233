import { dryRun, listOptions, parseTarget, writeOptions } from '@kedge/shared/kubeapi/request'
import { describe, expect, it } from 'vitest'

const nothing = { is: 'resource', namespace: '', name: '', subresource: '', watch: false }

describe('parseTarget', () => {
  it.each([
    ['/api/v1/pods', { group: '', version: 'v1', resource: 'pods' }],
    ['/api/v1/namespaces/a/pods', { group: '', version: 'v1', resource: 'pods', namespace: 'a' }],
    ['/api/v1/namespaces/a/pods/p', { group: '', version: 'v1', resource: 'pods', namespace: 'a', name: 'p' }],
    [
      '/api/v1/namespaces/a/pods/p/status',
      { group: '', version: 'v1', resource: 'pods', namespace: 'a', name: 'p', subresource: 'status' },
    ],
    ['/api/v1/namespaces', { group: '', version: 'v1', resource: 'namespaces' }],
    ['/api/v1/namespaces/a', { group: '', version: 'v1', resource: 'namespaces', name: 'a' }],
    [
      '/api/v1/namespaces/a/status',
      { group: '', version: 'v1', resource: 'namespaces', name: 'a', subresource: 'status' },
    ],
    [
      '/api/v1/namespaces/a/finalize',
      { group: '', version: 'v1', resource: 'namespaces', name: 'a', subresource: 'finalize' },
    ],
    ['/apis/x.io/v1/things/t', { group: 'x.io', version: 'v1', resource: 'things', name: 't' }],
    ['/api/v1/watch/namespaces/a/pods', { group: '', version: 'v1', resource: 'pods', namespace: 'a', watch: true }],
    ['/api/v1/nodes/a%3Ab', { group: '', version: 'v1', resource: 'nodes', name: 'a:b' }],
    ['//api/v1//pods/', { group: '', version: 'v1', resource: 'pods' }],
  ])('reads %s', (path, expected) => {
    expect(parseTarget(path)).toEqual({ ...nothing, ...expected })
  })

  it.each(['/', '/api', '/api/v1', '/apis', '/apis/x.io', '/apis/x.io/v1', '/healthz', '/api/v1/nodes/a/b/c'])(
    'takes %s for no resource',
    (path) => {
      expect(parseTarget(path).is).toBe('other')
    },
  )

  it('refuses what is not percent-encoded', () => {
    expect(() => parseTarget('/api/v1/pods/%zz')).toThrow(/percent-encoding/)
  })
})

const query = (text: string) => new URLSearchParams(text)

describe('listOptions', () => {
  it('reads everything', () => {
    const text = 'watch=1&limit=5&resourceVersion=7&timeoutSeconds=9&allowWatchBookmarks=true&labelSelector=a%3Db'
    expect(listOptions(query(text))).toEqual({
      watch: true,
      labelSelector: 'a=b',
      fieldSelector: '',
      resourceVersion: '7',
      resourceVersionMatch: '',
      limit: 5,
      continue: '',
      allowWatchBookmarks: true,
      sendInitialEvents: undefined,
      timeoutSeconds: 9,
    })
  })

  it.each([
    ['limit=x', /limit/],
    ['timeoutSeconds=1.5', /timeoutSeconds/],
    ['resourceVersion=abc', /resourceVersion/],
    ['resourceVersionMatch=Exact', /forbidden unless resourceVersion/],
    ['resourceVersionMatch=Maybe&resourceVersion=1', /Unsupported value: "Maybe"/],
    ['resourceVersionMatch=Exact&resourceVersion=0', /forbidden for resourceVersion "0"/],
    ['resourceVersionMatch=Exact&resourceVersion=1&continue=abc', /continue/],
  ])('refuses %s', (text, message) => {
    expect(() => listOptions(query(text))).toThrow(message)
  })
})

describe('writeOptions', () => {
  it('warns of unknown fields unless told otherwise', () => {
    expect(writeOptions(query(''))).toEqual({ dryRun: false, fieldValidation: 'Warn', fieldManager: '' })
    expect(writeOptions(query('dryRun=All&fieldValidation=Strict&fieldManager=me'))).toEqual({
      dryRun: true,
      fieldValidation: 'Strict',
      fieldManager: 'me',
    })
  })

  it('refuses what it does not know', () => {
    expect(() => writeOptions(query('fieldValidation=Loose'))).toThrow(/fieldValidation/)
    expect(() => dryRun(['Some'])).toThrow(/dryRun/)
  })
})
