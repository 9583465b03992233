import { dnsOf, onlyLoopback, parseResolvConf } from '@kedge/edgecore/pods/dns'
import { parseMountInfo } from '@kedge/edgecore/pods/mount-table'
import { hostnameOf, hostsFile } from '@kedge/edgecore/pods/network-names'
import { PodSpec } from '@kedge/edgecore/pods/pod-schema'
import { describe, expect, test } from 'vitest'

function spec(fields: Record<string, unknown>) {
  return PodSpec.parse({ containers: [{ name: 'web', image: 'i' }], ...fields })
}
const pod = { name: 'web', namespace: 'shop' }

describe('the host name', () => {
  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['is that of the pod', {}, { hostname: 'web' }],
    ['is the one that is given', { hostname: 'box' }, { hostname: 'box' }],
    ['has a domain', { subdomain: 'sub' }, { hostname: 'web', domain: 'sub.shop.svc.cluster.local' }],
    [
      'is all of its name',
      { subdomain: 'sub', setHostnameAsFQDN: true },
      { hostname: 'web.sub.shop.svc.cluster.local', domain: 'sub.shop.svc.cluster.local' },
    ],
    ['is overridden', { hostname: 'box', subdomain: 'sub', hostnameOverride: 'mine' }, { hostname: 'mine' }],
  ])('%s', (_name, fields, expected) => {
    expect(hostnameOf(pod, spec(fields))).toEqual(expected)
  })

  test('is cut where Linux cuts it', () => {
    const name = `${'a'.repeat(62)}-b`
    expect(hostnameOf({ ...pod, name }, spec({}))).toEqual({ hostname: 'a'.repeat(62) })
  })
})

describe('/etc/hosts', () => {
  const aliases = [{ ip: '192.0.2.9', hostnames: ['nine', 'neuf'] }]

  test('names the pod', () => {
    const text = hostsFile({ hostname: 'web.sub.x', domain: 'sub.x' }, { ips: ['10.0.0.5'], aliases })
    expect(text).toContain('127.0.0.1\tlocalhost\n')
    expect(text).toContain('\n10.0.0.5\tweb.sub.x\tweb\n')
    expect(text.endsWith('\n192.0.2.9\tnine\tneuf\n')).toBe(true)
  })

  test("is the node's on the node's network", () => {
    const text = hostsFile({ hostname: 'web' }, { ips: ['192.0.2.7'], aliases: [], hostFile: '127.0.0.1 me\n' })
    expect(text).toContain('\n127.0.0.1 me\n')
    expect(text).not.toContain('192.0.2.7')
  })
})

describe('whom a pod asks for names', () => {
  const host = parseResolvConf(
    'domain old\nnameserver 192.0.2.1\n# no\nnameserver  192.0.2.2\nsearch a b\noptions ndots:5 rotate\n',
  )

  test('the file of the node is read', () => {
    expect(host).toEqual({ servers: ['192.0.2.1', '192.0.2.2'], searches: ['a', 'b'], options: ['ndots:5', 'rotate'] })
  })

  test.each(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default'])('%s is as the node', (dnsPolicy) => {
    expect(dnsOf(spec({ dnsPolicy }), host)).toEqual(host)
  })

  test('None is what the pod says', () => {
    const dnsConfig = { nameservers: ['192.0.2.53'], searches: ['x'], options: [{ name: 'edns0' }] }
    const expected = { servers: ['192.0.2.53'], searches: ['x'], options: ['edns0'] }
    expect(dnsOf(spec({ dnsPolicy: 'None', dnsConfig }), host)).toEqual(expected)
  })

  test('what the pod says comes on top, three servers at most', () => {
    const dnsConfig = {
      nameservers: ['192.0.2.2', '192.0.2.3', '192.0.2.4'],
      searches: ['b', 'c'],
      options: [{ name: 'ndots', value: '2' }],
    }
    expect(dnsOf(spec({ dnsConfig }), host)).toEqual({
      servers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
      searches: ['a', 'b', 'c'],
      options: ['ndots:2', 'rotate'],
    })
  })

  test('a resolver on the loopback is one that a pod cannot reach', () => {
    const of = (...servers: string[]) => onlyLoopback({ servers, searches: [], options: [] })
    expect([of('127.0.0.53'), of('127.0.0.1', '::1'), of('127.0.0.1', '192.0.2.1'), of()]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

test('mount points are read as the kernel writes them', () => {
  const text = '22 1 0:20 / /sys rw - sysfs sysfs rw\n23 1 0:21 / /data\\040dir/pods rw - tmpfs tmpfs rw\n'
  expect(parseMountInfo(text)).toEqual(['/sys', '/data dir/pods'])
})
