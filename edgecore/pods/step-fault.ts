/** A step that failed for a reason that Kubernetes has a name for: the reason of the container's state. */
export class StepFault extends Error {
  override readonly name = 'StepFault'
  /** CamelCase: `CreateContainerConfigError`, `RunContainerError`. */
  readonly reason: string

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** The name that an error has in Kubernetes, if any. */
export function reasonOf(error: unknown): string | undefined {
  const reason = error instanceof Error ? (error as { reason?: unknown }).reason : undefined
  return typeof reason === 'string' ? reason : undefined
}
