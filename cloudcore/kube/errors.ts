/** As much of `metav1.Status` as Kedge reads. */
export interface StatusBody {
  reason?: string
  message?: string
  code?: number
  details?: { name?: string; kind?: string; retryAfterSeconds?: number; causes?: unknown[] }
}

/** A Kubernetes API server's answer that says no. Trouble on the way there is an ordinary `Error`. */
export class KubeError extends Error {
  override name = 'KubeError'
  /** HTTP status code. */
  readonly code: number
  /** Kubernetes' machine-readable word: NotFound, Conflict, Expired, … Empty when the server gave none. */
  readonly reason: string
  readonly details: StatusBody['details']
  /** Milliseconds the server asks to wait before the next try; undefined when it does not say. */
  readonly retryAfter: number | undefined

  constructor(
    message: string,
    given: { code: number; reason?: string; details?: StatusBody['details']; retryAfter?: number },
  ) {
    super(message)
    this.code = given.code
    this.reason = given.reason ?? ''
    this.details = given.details
    this.retryAfter = given.retryAfter
  }
}

/** The error of a `Status` body, wherever it came from: an answer, or an ERROR event of a watch. */
export function kubeError(what: string, code: number, status: StatusBody, retryAfterHeader?: string): KubeError {
  const seconds = status.details?.retryAfterSeconds ?? Number(retryAfterHeader ?? Number.NaN)
  return new KubeError(`${what}: ${status.message || `HTTP ${code}`}`, {
    code,
    reason: status.reason,
    details: status.details,
    retryAfter: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined,
  })
}

export function hasCode(error: unknown, code: number): error is KubeError {
  return error instanceof KubeError && error.code === code
}

/** The version asked for is no longer in the server's history: list again. */
export function isExpired(error: unknown): boolean {
  return hasCode(error, 410) || (error instanceof KubeError && error.reason === 'Expired')
}

/**
 * Answers that no number of tries will change: what was sent is not acceptable. Everything else (no connection, 401
 * until credentials are renewed, 409, 429, 5xx) may pass.
 */
export function isRefusal(error: unknown): error is KubeError {
  return error instanceof KubeError && [400, 403, 405, 413, 415, 422].includes(error.code)
}
