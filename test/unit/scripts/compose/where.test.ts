import { describe, expect, it } from 'vitest'
import { mustHave, whereIs } from '../../../../scripts/compose/where.ts'

describe('the profiles in use', () => {
  it.each([
    ['', 'https://kubernetes:6443'],
    ['chaos,mosquitto', 'https://kubernetes:6443'],
    ['k3s', 'https://k3s:6444'],
    ['mosquitto, k3s', 'https://k3s:6444'],
  ])('"%s": the API is at %s', (profiles, server) => {
    expect(whereIs(profiles).server).toBe(server)
  })

  it('are refused where a service was started that cloudcore does not know of', () => {
    mustHave('chaos,k3s', 'k3s')
    expect(() => mustHave('', 'mosquitto')).toThrow('set COMPOSE_PROFILES=mosquitto in place of --profile')
  })
})
