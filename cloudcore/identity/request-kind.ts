import type { KubeObject } from '@kedge/shared/objects'
import type { SignRequest } from './issuer.ts'

/** What became of a request that is an object of Kubernetes. */
export type Outcome =
  /** `why`: what it waits for, in words. */
  | { is: 'pending'; approved: boolean; why: string }
  /** PEM; `roots`: what the signer says vouches for it, as far as it does. */
  | { is: 'issued'; chain: string; roots: string }
  /** `final`: the same asked again would be refused again. */
  | { is: 'refused'; reason: string; final: boolean }

/** An object that somebody writes in order to have it back. */
export interface Write {
  path: string
  object: KubeObject
}

/** A kind of object of Kubernetes by which certificates are asked for. */
export interface RequestKind {
  /** For messages: `CertificateRequest`. */
  readonly kind: string
  /** What is missing where the API does not know the kind. */
  readonly missing: string
  /** Where such objects are made. */
  readonly collection: string
  /** A new one; it gets its name and its labels by others. */
  bodyOf(request: SignRequest): KubeObject
  outcomeOf(object: KubeObject): Outcome
  /** How it is approved; `time` is RFC 3339. */
  approval(object: KubeObject, time: string): Write
  /** Signs what has been approved; undefined where somebody else does. */
  complete?(object: KubeObject, request: SignRequest): Promise<Write>
}

export interface Condition {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

export function conditionsOf({ status }: KubeObject): Condition[] {
  return Array.isArray(status?.conditions) ? status.conditions : []
}

export function holds(object: KubeObject, type: string): Condition | undefined {
  return conditionsOf(object).find((one) => one.type === type && one.status === 'True')
}

/** Reason and message of a condition, for people. */
export function wordsOf({ type, reason, message }: Condition): string {
  return [reason === type ? type : [type, reason].filter(Boolean).join(' '), message].filter(Boolean).join(': ')
}

/** The PEM that a field of the status holds in base64; empty when it holds nothing. */
export function pemIn({ status }: KubeObject, field: string): string {
  const value = status?.[field]
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : ''
}

export const usages = ['digital signature', 'client auth']

/** The object with our approval, which bears its time, RFC 3339, as its kind has it. */
export function approvedBy(
  object: KubeObject,
  time: { lastTransitionTime: string } | { lastUpdateTime: string },
): KubeObject {
  const message = 'cloudcore has judged the request and the node that it comes from'
  const condition = { type: 'Approved', status: 'True', reason: 'kedge.io', message, ...time }
  return { ...object, status: { ...object.status, conditions: [...conditionsOf(object), condition] } }
}
