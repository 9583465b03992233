import { credentialsFor } from '@kedge/edgecore/pods/pull-secrets'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'

function base64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}

function docker(...registries: string[]): KubeObject {
  const auths = Object.fromEntries(registries.map((registry) => [registry, { username: registry, password: 'p' }]))
  return { metadata: { name: 's' }, data: { '.dockerconfigjson': base64({ auths }) } }
}

function who(image: string, ...secrets: KubeObject[]): (string | undefined)[] {
  return credentialsFor(image, secrets).map(({ username }) => username)
}

describe('which entry fits an image', () => {
  test.each<[string, string[], string[]]>([
    ['r.example/app:1', ['r.example', 'other.example'], ['r.example']],
    ['r.example:5000/app', ['r.example', 'r.example:5000'], ['r.example:5000']],
    ['r.example/team/app@sha256:aa', ['r.example', 'r.example/team', 'r.example/tea'], ['r.example/team', 'r.example']],
    ['a.r.example/app', ['*.example', '*.r.example', 'r.example'], ['*.r.example']],
    ['r.example/app', ['https://r.example/v2/'], ['https://r.example/v2/']],
    ['nginx', ['https://index.docker.io/v1/', 'r.example'], ['https://index.docker.io/v1/']],
    ['nginx:1.27', ['docker.io/library', 'docker.io/me'], ['docker.io/library']],
    ['me/app', ['docker.io/me'], ['docker.io/me']],
    ['localhost/app', ['localhost'], ['localhost']],
  ])('%s among %j: %j', (image, registries, expected) => {
    expect(who(image, docker(...registries))).toEqual(expected)
  })

  test('several Secrets are tried, the best entry first', () => {
    expect(who('r.example/team/app', docker('r.example'), docker('r.example/team'))).toEqual([
      'r.example/team',
      'r.example',
    ])
  })
})

test('name and password may come in one', () => {
  const auth = Buffer.from('me:pass:word').toString('base64')
  const data = { '.dockercfg': base64({ 'r.example': { auth } }) }
  expect(credentialsFor('r.example/app', [{ metadata: { name: 's' }, data }])).toEqual([
    { serverAddress: 'r.example', username: 'me', password: 'pass:word' },
  ])
})

test.each([
  ['no data', {}],
  ['no JSON', { '.dockerconfigjson': Buffer.from('{').toString('base64') }],
  ['another shape', { '.dockerconfigjson': base64({ auths: [1] }) }],
])('a Secret with %s gives nothing', (_name, data) => {
  expect(credentialsFor('nginx', [{ metadata: { name: 's' }, data }])).toEqual([])
})
