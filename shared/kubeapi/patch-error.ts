const reasons = {
  400: 'BadRequest',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
} as const

/** A patch that cannot be applied; `code` and `reason` are those of the `Status` to answer with. */
export class PatchError extends Error {
  override name = 'PatchError'
  readonly code: keyof typeof reasons
  readonly reason: (typeof reasons)[keyof typeof reasons]

  constructor(code: keyof typeof reasons, message: string) {
    super(message)
    this.code = code
    this.reason = reasons[code]
  }
}
