import { objectPath } from '@kedge/cloudcore/kube/paths'
import { type KubeObject, keyOf, kinds, type Resource, resources } from '@kedge/shared/objects'
import { type Body, connect, type Kube, minorOf, type Reply } from './kube.ts'

/** A person with kubectl: whole objects by their keys (`pods/default/web`), and errors where an answer is one. */
export class Api {
  readonly #kube: Kube
  readonly #onMade: (key: string) => void

  /** `onMade` hears the key of everything that is created. */
  constructor(kubeconfig: string, onMade: (key: string) => void = () => {}) {
    this.#onMade = onMade
    this.#kube = connect(kubeconfig, { embedded: true, stop: async () => {} })
  }

  close(): Promise<void> {
    return this.#kube.close()
  }

  /** The minor version of the Kubernetes that answers: 25 for v1.25.3. */
  minor(): Promise<number> {
    return minorOf(this.#kube)
  }

  /** What the server answers, whatever it is. */
  async post(object: KubeObject): Promise<Reply> {
    const reply = await this.#kube.create(collectionOf(object), object)
    if (reply.code === 201) this.#onMade(keyOfObject(object))
    return reply
  }

  async create(...objects: KubeObject[]): Promise<void> {
    for (const object of objects) ok(await this.post(object))
  }

  async get(key: string): Promise<Body> {
    return ok(await this.#kube.get(pathOf(key)))
  }

  async find(key: string): Promise<Body> {
    const reply = await this.#kube.get(pathOf(key))
    return reply.code === 404 ? undefined : ok(reply)
  }

  async list(resource: Resource | 'events' | 'nodes'): Promise<Body[]> {
    const root = resource.startsWith('device') ? '/apis/devices.kubeedge.io/v1beta1' : '/api/v1'
    return ok(await this.#kube.get(`${root}/${resource}`)).items
  }

  /** A merge patch, as `kubectl patch --type merge`. */
  tryPatch(key: string, body: unknown): Promise<Reply> {
    const type = 'application/merge-patch+json'
    return this.#kube.call({ method: 'PATCH', path: pathOf(key), body, type })
  }

  /** A merge patch of the status subresource. */
  async patchStatus(key: string, status: unknown): Promise<Body> {
    const type = 'application/merge-patch+json'
    return ok(await this.#kube.call({ method: 'PATCH', path: `${pathOf(key)}/status`, body: { status }, type }))
  }

  async patch(key: string, body: unknown): Promise<Body> {
    return ok(await this.tryPatch(key, body))
  }

  /** Sets desired values of a device, the others stay: `kubectl patch` of its properties. */
  async desire(device: string, values: Readonly<Record<string, string>>): Promise<void> {
    const { spec } = await this.get(device)
    const properties = spec.properties.map((property: Body) =>
      property.name in values ? { ...property, desired: { value: values[property.name] } } : property,
    )
    await this.patch(device, { spec: { properties } })
  }

  async remove(key: string): Promise<void> {
    ok(await this.#kube.call({ method: 'DELETE', path: pathOf(key) }))
  }
}

function pathOf(key: string): string {
  const [resource, name] = key.split('/')
  return resource === 'nodes' ? `/api/v1/nodes/${name}` : objectPath(key)
}

function collectionOf(object: KubeObject): string {
  const path = objectPath(keyOfObject(object))
  return path.slice(0, path.lastIndexOf('/'))
}

function keyOfObject({ kind, metadata }: KubeObject): string {
  const resource = resources.find((each) => kinds[each].kind === kind)
  if (resource === undefined) throw new Error(`no resource for kind ${kind}`)
  return keyOf(resource, metadata.namespace ?? 'default', metadata.name)
}

function ok(reply: Reply): Body {
  if (reply.code < 300) return reply.body
  throw new Error(`the API answered ${reply.code}: ${reply.text}`)
}

/** Twins of a device by property: reported and observed desired values as its status shows them. */
export function statusTwins(device: Body): Record<string, { reported?: string; desired?: string }> {
  return Object.fromEntries(
    (device.status?.twins ?? []).map(({ propertyName, reported, observedDesired }: Body) => [
      propertyName,
      { reported: reported?.value, desired: observedDesired?.value },
    ]),
  )
}

export function conditionOf(object: Body, type: string): Body {
  return object.status?.conditions?.find((condition: Body) => condition.type === type)
}
