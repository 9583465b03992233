import type { KubeObject } from '../objects.ts'
import type { Storage, Transaction } from './storage.ts'

/** Carries a result out of a transaction that must not be kept. */
class Rehearsed<T> {
  readonly value: T

  constructor(value: T) {
    this.value = value
  }
}

/** Does a write in full, then takes it back: what a dry run answers is what the write would. */
export async function rehearse<T>(storage: Storage, write: (tx: Transaction) => T): Promise<T> {
  try {
    return await storage.commit<T>((tx) => {
      throw new Rehearsed(write(tx))
    })
  } catch (error) {
    if (error instanceof Rehearsed) return error.value as T
    throw error
  }
}

/** A rehearsed object never had the resourceVersion that it was given. */
export function withoutVersion(object: KubeObject): KubeObject {
  const { resourceVersion: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
