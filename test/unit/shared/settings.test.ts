import { cloudcoreProgram, kubernetesWay } from '@kedge/cloudcore/settings'
import { edgecoreProgram } from '@kedge/edgecore/settings'
import { startOf } from '@kedge/shared/load-settings'
import { addressOrOff, bytes, duration, flag, host, interval, port, text, url } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import { helpText, markdownTable } from '@kedge/shared/settings-text'
import { describe, expect, test } from 'vitest'

const sample = program({
  name: 'sample',
  summary: 'is a sample',
  table: {
    mqttPort: { type: port, default: '1883', help: 'The port' },
    statusInterval: { type: duration, default: '10s', help: 'The interval' },
    standalone: { type: flag, default: 'false', help: 'Alone' },
    cloud: { type: url(['mqtt:']), help: 'The cloud' },
    joinToken: { type: text, help: 'The token', secret: true },
  },
})

interface Given {
  argv?: string[]
  env?: Record<string, string>
  file?: string
}

function start({ argv = [], env = {}, file }: Given) {
  const config = file === undefined ? [] : ['--config', 'sample.yaml']
  return startOf(sample, { argv: [...config, ...argv], env, read: () => file ?? '' })
}

async function valuesOf(given: Given) {
  const started = await start(given)
  if (started.is !== 'run') throw new Error(started.text)
  return started.values
}

async function faultOf(given: Given): Promise<string> {
  return start(given).then(
    () => 'none',
    (error: Error) => error.message,
  )
}

describe('where a value comes from', () => {
  const cases: [string, Given, number][] = [
    ['the default', {}, 1883],
    ['a file, nested', { file: 'mqtt:\n  port: 1' }, 1],
    ['a file, flat', { file: 'mqtt-port: 1' }, 1],
    ['a variable before a file', { file: 'mqtt-port: 1', env: { KEDGE_MQTT_PORT: '2' } }, 2],
    ['a flag before both', { file: 'mqtt-port: 1', env: { KEDGE_MQTT_PORT: '2' }, argv: ['--mqtt-port', '3'] }, 3],
    ['a flag with =', { argv: ['--mqtt-port=3'] }, 3],
    ['the last of two flags', { argv: ['--mqtt-port=3', '--mqtt-port=4'] }, 4],
    ['an empty variable counts as not set', { env: { KEDGE_MQTT_PORT: '' } }, 1883],
    ["a Service's variables are no settings", { env: { KEDGE_MQTT_PORT: 'tcp://10.96.0.7:1883' } }, 1883],
    [
      'nor are those of its ports',
      { env: { KEDGE_X_PORT_1883_TCP_ADDR: '10.96.0.7', KEDGE_X_SERVICE_HOST: 'a' } },
      1883,
    ],
  ]
  test.each(cases)('%s', async (_, given, expected) => {
    expect((await valuesOf(given)).mqttPort).toBe(expected)
  })

  test('switches', async () => {
    expect((await valuesOf({ argv: ['--standalone'] })).standalone).toBe(true)
    expect((await valuesOf({ argv: ['--no-standalone'], env: { KEDGE_STANDALONE: 'true' } })).standalone).toBe(false)
    expect((await valuesOf({ argv: ['--standalone=false'] })).standalone).toBe(false)
    expect((await valuesOf({ file: 'standalone: true' })).standalone).toBe(true)
  })

  test('an optional setting is undefined until given, and again with an empty text', async () => {
    expect((await valuesOf({})).cloud).toBeUndefined()
    expect((await valuesOf({ file: 'cloud: mqtt://a:1884' })).cloud).toBe('mqtt://a:1884')
    expect((await valuesOf({ file: 'cloud: mqtt://a:1884', argv: ['--cloud='] })).cloud).toBeUndefined()
  })
})

describe('faults', () => {
  const cases: [string, Given, string][] = [
    ['a wrong value', { argv: ['--mqtt-port=x'] }, 'mqtt-port: found "x" (flag --mqtt-port); give a port, 0 to 65535'],
    [
      'in a variable',
      { env: { KEDGE_MQTT_PORT: '-1' } },
      'mqtt-port: found "-1" (variable KEDGE_MQTT_PORT); give a port',
    ],
    ['in a file', { file: 'mqtt: {port: 99999}' }, 'mqtt-port: found "99999" (sample.yaml); give a port'],
    ['an unknown flag', { argv: ['--mqtt-prot', '1'] }, '--mqtt-prot: no such flag; did you mean --mqtt-port?'],
    ['an unknown variable', { env: { KEDGE_CLUOD: 'x' } }, 'KEDGE_CLUOD: no such variable; did you mean KEDGE_CLOUD?'],
    ['an unknown key', { file: 'mqtt: {prot: 1}' }, 'mqtt-prot: no such key (sample.yaml); did you mean mqtt-port?'],
    ['nothing near', { argv: ['--zzz'] }, '--zzz: no such flag; --help lists all'],
    ['a flag without its value', { argv: ['--mqtt-port'] }, 'mqtt-port: no value (flag --mqtt-port); give a port'],
    ['a flag for a value', { argv: ['--mqtt-port', '--standalone'] }, 'mqtt-port: no value (flag --mqtt-port)'],
    ['a word too many', { argv: ['word'] }, 'word: no flag; each begins with --'],
    [
      'a list in a file',
      { file: 'mqtt-port: [1]' },
      'mqtt-port: found a list or nothing (sample.yaml); give one value',
    ],
    ['nothing in a file', { file: 'mqtt-port:' }, 'mqtt-port: found "" (sample.yaml); give a port'],
    ['an empty mapping', { file: 'mqtt-port: {}' }, 'mqtt-port: found a list or nothing (sample.yaml)'],
    ['twice in a file', { file: 'mqtt-port: 1\nmqtt: {port: 2}' }, 'mqtt-port: given twice (sample.yaml)'],
    ['a file without keys', { file: 'hello' }, 'sample.yaml: no keys; give keys and values'],
    ['a file that is no YAML', { file: 'a: [' }, '(sample.yaml); give a YAML file'],
  ]
  test.each(cases)('%s', async (_, given, expected) => {
    const message = await faultOf(given)
    expect(message).toContain(expected)
    expect(message).toContain('a setting is wrong:')
  })

  test('come all at once', async () => {
    const message = await faultOf({ argv: ['--mqtt-port=x', '--nope'], env: { KEDGE_CLOUD: 'http://a' }, file: 'b: 1' })
    expect(message.split('\n')).toHaveLength(6)
    expect(message).toContain('4 settings are wrong:')
  })

  test('never show a secret', async () => {
    const secret = program({ name: 's', summary: '', table: { joinToken: { type: port, help: '', secret: true } } })
    const started = startOf(secret, { argv: ['--join-token=hunter2'], env: {}, read: () => '' })
    await expect(started).rejects.toThrow('a value that is not shown')
    await expect(started).rejects.not.toThrow('hunter2')
  })
})

test('--print-config names each source, hides secrets, and is a settings file itself', async () => {
  const started = await start({
    argv: ['--print-config', '--join-token=hunter2', '--cloud', 'mqtt://a:1884'],
    env: { KEDGE_STATUS_INTERVAL: '1m' },
    file: 'mqtt-port: 7',
  })
  if (started.is !== 'say') throw new Error('it should only say something')
  expect(started.text).toMatch(/^mqtt-port: 7 +# sample\.yaml$/m)
  expect(started.text).toMatch(/^status-interval: 1m +# variable KEDGE_STATUS_INTERVAL$/m)
  expect(started.text).toMatch(/^standalone: false +# default$/m)
  expect(started.text).toMatch(/^join-token: "\(hidden\)" +# flag --join-token$/m)
  expect(started.text).not.toContain('hunter2')
  expect(await valuesOf({ file: started.text })).toMatchObject({
    mqttPort: 7,
    statusInterval: 60_000,
    cloud: 'mqtt://a:1884',
  })
})

test('--help, --version and the Markdown table list every setting', async () => {
  const help = await start({ argv: ['-h', '--nonsense'] })
  expect(help).toEqual({ is: 'say', text: helpText(sample, '0.0.0-dev') })
  expect(await start({ argv: ['--version'] })).toEqual({ is: 'say', text: '0.0.0-dev\n' })
  for (const name of ['--mqtt-port PORT', '--standalone', '--join-token TEXT']) {
    expect(helpText(sample, '1')).toContain(name)
    expect(markdownTable(sample)).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, 'm'))
  }
})

describe('types', () => {
  const cases: [string, { schema: { safeParse(text: string): { data?: unknown } } }, [string, unknown][]][] = [
    [
      'port',
      port,
      [
        ['0', 0],
        ['65535', 65535],
        ['65536', undefined],
        ['1e3', undefined],
        ['', undefined],
        [' 1', undefined],
      ],
    ],
    [
      'duration',
      duration,
      [
        ['1h30m', 5_400_000],
        ['0', 0],
        ['10', undefined],
        ['', undefined],
      ],
    ],
    [
      'interval',
      interval,
      [
        ['1s', 1000],
        ['0s', undefined],
      ],
    ],
    [
      'bytes',
      bytes,
      [
        ['4096', 4096],
        ['64Ki', 65_536],
        ['1.5M', 1_500_000],
        ['1KB', undefined],
        ['', undefined],
      ],
    ],
    [
      'flag',
      flag,
      [
        ['true', true],
        ['false', false],
        ['yes', undefined],
        ['', undefined],
      ],
    ],
    [
      'host',
      host,
      [
        ['a.b', 'a.b'],
        ['[::1]', '::1'],
        ['a b', undefined],
        ['http://a', undefined],
      ],
    ],
    [
      'address',
      addressOrOff,
      [
        ['off', null],
        ['a:1', { host: 'a', port: 1 }],
        ['[::1]:9', { host: '::1', port: 9 }],
        ['::1:9', undefined],
        ['a', undefined],
        ['a:99999', undefined],
      ],
    ],
    [
      'url',
      url(['mqtt:']),
      [
        ['mqtt://a:1', 'mqtt://a:1'],
        ['http://a', undefined],
        ['mqtt:', undefined],
        ['a', undefined],
      ],
    ],
  ]
  test.each(cases)('%s', (_, type, texts) => {
    for (const [given, expected] of texts) expect([given, type.schema.safeParse(given).data]).toEqual([given, expected])
  })
})

describe('cloudcore', () => {
  const read = () => ''
  test('says what to give without a way to Kubernetes', async () => {
    const alone = startOf(cloudcoreProgram, { argv: [], env: {}, read })
    await expect(alone).rejects.toThrow('give --kubeconfig FILE for a cluster, or --standalone for an embedded one')
    const both = startOf(cloudcoreProgram, { argv: ['--standalone', '--kubeconfig=a'], env: {}, read })
    await expect(both).rejects.toThrow('give only one of the two')
  })

  test('finds its way to Kubernetes', () => {
    const inside = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }
    expect(kubernetesWay({ standalone: false, kubeconfig: undefined }, inside)).toEqual({ is: 'in-cluster' })
    expect(kubernetesWay({ standalone: true, kubeconfig: undefined }, inside)).toEqual({ is: 'standalone' })
    expect(kubernetesWay({ standalone: false, kubeconfig: '/a' }, inside)).toEqual({ is: 'kubeconfig', path: '/a' })
  })

  test('starts standalone with its defaults', async () => {
    const started = await startOf(cloudcoreProgram, { argv: ['--standalone'], env: {}, read })
    expect(started).toMatchObject({ is: 'run', values: { apiPort: 6443, linkPlain: false, statusInterval: 10_000 } })
  })
})

describe('edgecore', () => {
  const read = () => ''
  test('needs nothing: a node can run alone', async () => {
    const started = await startOf(edgecoreProgram, { argv: ['--node-name=edge-1'], env: {}, read })
    if (started.is !== 'run') throw new Error('it should run')
    expect(started.values.cloud).toBeUndefined()
    expect(started.values).toMatchObject({ nodeName: 'edge-1', mqttPort: 1883, metricsAddress: null })
  })

  test('refuses a node name that Kubernetes refuses', async () => {
    const started = startOf(edgecoreProgram, { argv: ['--node-name=Edge_1'], env: {}, read })
    await expect(started).rejects.toThrow('node-name: found "Edge_1" (flag --node-name); give a DNS-1123 name')
  })
})
