import type { KubeObject } from '@kedge/shared/objects'
import type { Line } from './lines.ts'

const meta = (name: string, generation?: number) => ({ name, namespace: 'default', uid: `uid-${name}`, generation })

function configMap(name: string, data: Record<string, string>): Line {
  return { set: `configmaps/default/${name}`, object: { metadata: meta(name), data } as KubeObject }
}

function pod(name: string, image: string): Line {
  const spec = { nodeName: 'edge-1', containers: [{ name: 'main', image }] }
  return { set: `pods/default/${name}`, object: { metadata: meta(name), spec } as KubeObject }
}

function device(name: string, generation: number, properties: unknown): Line {
  const spec = { nodeName: 'edge-1', deviceModelRef: { name: 'model' }, properties }
  return { set: `devices/default/${name}`, object: { metadata: meta(name, generation), spec } as KubeObject }
}

const model: Line = {
  set: 'devicemodels/default/model',
  object: {
    metadata: meta('model', 1),
    spec: { properties: [{ name: 'temperature', type: 'FLOAT', accessMode: 'ReadWrite' }] },
  } as KubeObject,
}

const temperature = (value: string) => [{ name: 'temperature', desired: { value } }]

/** Compresses to about two thirds: no text repeats. */
function text(chars: number): string {
  let state = 1
  let out = ''
  while (out.length < chars) {
    state = (state * 48_271) % 0x7fffffff
    out += state.toString(36)
  }
  return out.slice(0, chars)
}

/** What a node and its cloud go through: every frame of the sync conversation is in it. */
export function* scenario(): Generator<Line> {
  yield { cloud: 'e1' }
  yield { edge: 'r1' }
  yield { tick: 1000 }
  yield configMap('greeting', { text: 'Grüße, 世界, "quoted"\n' })
  yield pod('web', 'nginx:1')
  // To a node that holds nothing, then what changes while it is there.
  yield { link: 'up' }
  yield model
  yield device('sensor', 1, temperature('20'))
  yield device('sensor', 2, temperature('21'))
  yield pod('web', 'nginx:2')
  // An object that this edge cannot use, and one that it can again.
  yield device('bad', 1, 'none')
  yield device('bad', 2, temperature('1'))
  yield { drop: 'configmaps/default/greeting' }
  // Changes made during a cut.
  yield { link: 'down' }
  yield device('sensor', 3, temperature('22'))
  yield { tick: 60_000 }
  yield { link: 'up' }
  // A large object, and many.
  yield configMap('large', { text: text(60_000) })
  for (let index = 0; index < 100; index++) yield configMap(`c${index}`, { index: String(index) })
  // The cloud starts again: with the same set, then with another one.
  yield { link: 'down' }
  yield { cloud: 'e2' }
  yield { tick: 120_000 }
  yield { link: 'up' }
  yield { link: 'down' }
  yield { cloud: 'e3' }
  yield configMap('c50', { index: 'fifty' })
  yield { drop: 'configmaps/default/c51' }
  yield { tick: 180_000 }
  yield { link: 'up' }
  // The edge starts again, and bytes that are no frame.
  yield { link: 'down' }
  yield { edge: 'r2' }
  yield { tick: 240_000 }
  yield { link: 'up' }
  yield { garbled: 'toCloud' }
  yield pod('web', 'nginx:3')
  yield { link: 'down' }
}
