import type { Clock } from '@kedge/shared/clock'
import type { DeviceState } from './driver.ts'
import type { BaseHost } from './instance.ts'

export interface VoiceOptions {
  host: Pick<BaseHost, 'state' | 'failed' | 'tell'>
  clock: Clock
  /** Milliseconds in which a state that has not changed is passed on once. */
  stateInterval: number
  /** Called for every failure, told or not, to count them. */
  onFailure: () => void
  /** Nothing is passed on any more. */
  isClosed: () => boolean
}

/** Failures and things to tell are passed on at most once in this time, in milliseconds, after the first few. */
const tellInterval = 1000
const tellBurst = 10

/** What a driver says of its device, passed on not more often than is of use. */
export class Voice {
  readonly #options: VoiceOptions
  #state: { state: string; at: number } | undefined
  #told = { left: tellBurst, at: 0 }

  constructor(options: VoiceOptions) {
    this.#options = options
  }

  async state(state: DeviceState): Promise<void> {
    const { host, clock, stateInterval, isClosed } = this.#options
    const now = clock.monotonic()
    if (isClosed() || (this.#state?.state === state && now - this.#state.at < stateInterval)) return
    this.#state = { state, at: now }
    await host.state(state)
  }

  failed(reason: string): void {
    const { host, onFailure, isClosed } = this.#options
    if (isClosed()) return
    onFailure()
    if (this.#mayTell()) host.failed(reason)
  }

  tell(reason: string, message: string): void {
    const { host, isClosed } = this.#options
    if (!isClosed() && this.#mayTell()) host.tell(reason, message)
  }

  #mayTell(): boolean {
    const now = this.#options.clock.monotonic()
    const gained = Math.floor((now - this.#told.at) / tellInterval)
    if (gained > 0) this.#told = { left: Math.min(tellBurst, this.#told.left + gained), at: now }
    return this.#told.left-- > 0
  }
}
