import { type Key, parseKey, type Resource } from '@kedge/shared/objects'
import type { HeldObject, Objects } from '../store/objects.ts'
import type { StaticPods } from './static-pods.ts'

/** As kubelet marks what stands in the API for a static pod. */
export const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** What this node should run: what the cloud wants of it, and the pods of its own folder, which come first. */
export class WantedObjects {
  readonly #objects: Pick<Objects, 'get' | 'list'>
  readonly #own: Pick<StaticPods, 'get' | 'list'> | undefined

  constructor(objects: Pick<Objects, 'get' | 'list'>, own: Pick<StaticPods, 'get' | 'list'> | undefined) {
    this.#objects = objects
    this.#own = own
  }

  get(key: Key): HeldObject | undefined {
    const own = parseKey(key)?.resource === 'pods' ? this.#own?.get(key) : undefined
    return own ?? runnable(this.#objects.get(key))[0]
  }

  list(resource: Resource): HeldObject[] {
    if (resource !== 'pods') return this.#objects.list(resource)
    const own = this.#own?.list() ?? []
    const keys = new Set(own.map(({ key }) => key))
    return [
      ...own,
      ...this.#objects
        .list('pods')
        .filter((held) => !keys.has(held.key))
        .flatMap(runnable),
    ]
  }
}

/** What only mirrors a static pod is none to run. */
function runnable(held: HeldObject | undefined): HeldObject[] {
  return held === undefined || held.content.metadata.annotations?.[mirrorAnnotation] !== undefined ? [] : [held]
}
