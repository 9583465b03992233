import { readFile } from 'node:fs/promises'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { UploadReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from '../kube/answer.ts'
import { KeyedWorker, type Pass } from '../kube/keyed-worker.ts'
import { Limiter } from '../kube/limiter.ts'
import { cloudEvent } from './cloud-event.ts'

export interface UploadSinkOptions {
  /** Where uploads are posted: http or https. */
  url: string
  /** File with the token that is shown there (RFC 6750), read for each message: whoever renews it just writes it. */
  tokenFile?: string | undefined
  /** Milliseconds that one answer may take. */
  patience?: number
  clock: Clock
  log: Log
  /** A draw from [0, 1). */
  random: () => number
}

export interface UploadCounts {
  accepted: number
  refused: number
  delayed: number
}

interface Upload {
  node: string
  report: UploadReport
}

/** Requests on their way at once. */
const atOnce = 32
/**
 * Answers that are about the message (RFC 9110, 15.5): no other try changes them. A token that has ended or a path that is
 * not there yet is about the receiver, and somebody will mend it.
 */
const final = new Set([400, 406, 411, 413, 414, 415, 422])

/**
 * Posts what edge nodes upload to one URL, each message as a CloudEvent. They may arrive in another order than they were
 * published in, and one whose answer was lost arrives again, with the same id.
 *
 * Invariant: a node is told `accepted` after a 2xx, and `refused` after an answer that is about the message.
 */
export class UploadSink implements Service {
  readonly counts: UploadCounts = { accepted: 0, refused: 0, delayed: 0 }
  readonly #options: UploadSinkOptions
  readonly #uploads = new Map<string, Upload>()
  readonly #worker: KeyedWorker<Answer>
  readonly #stopping = new AbortController()
  /** Why the last one failed; undefined while they are taken. */
  #trouble: string | undefined

  constructor(options: UploadSinkOptions) {
    this.#options = options
    const { clock, random } = options
    this.#worker = new KeyedWorker({
      ...{ clock, random, interval: 0, limiter: new Limiter(atOnce) },
      backoff: { base: 500, cap: 30_000 },
      pass: (key) => this.#pass(key),
      onFailure: (_, error) => this.#delayed(explain(error)),
    })
  }

  /** Resolves once the receiver has taken the message or never will; rejects when cloudcore stops first. */
  accept(node: string, report: UploadReport): Promise<Answer> {
    const key = `${node}/${report.id}`
    this.#uploads.set(key, { node, report })
    return this.#worker.run(key).finally(() => this.#uploads.delete(key))
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('cloudcore is stopping'))
    await this.#worker.stop()
  }

  async #pass(key: string): Promise<Pass<Answer>> {
    const upload = this.#uploads.get(key)
    if (upload === undefined) return { wrote: false, result: accepted }
    const code = await this.#post(upload)
    if (code >= 200 && code < 300) return this.#taken()
    const why = `${this.#options.url} answers ${code}`
    if (!final.has(code)) throw new Error(why)
    this.counts.refused++
    return { wrote: true, result: refused(why) }
  }

  async #post({ node, report }: Upload): Promise<number> {
    const { url, patience = 10_000 } = this.#options
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(patience)])
    const { headers, body } = cloudEvent(node, report)
    const allHeaders = { ...headers, ...(await this.#authorization()) }
    const response = await fetch(url, { method: 'POST', headers: allHeaders, body, redirect: 'manual', signal })
    // What it says is not read, but the connection is free again.
    await response.body?.cancel()
    return response.status
  }

  async #authorization(): Promise<{ authorization?: string }> {
    const { tokenFile } = this.#options
    if (tokenFile === undefined) return {}
    const token = (await readFile(tokenFile, 'utf8')).trim()
    // What a header cannot hold must not be quoted by whoever refuses it.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`${tokenFile} holds no token of one line`)
    return { authorization: `Bearer ${token}` }
  }

  #taken(): Pass<Answer> {
    this.counts.accepted++
    if (this.#trouble !== undefined) this.#options.log.info({ url: this.#options.url }, 'uploads taken again')
    this.#trouble = undefined
    return { wrote: true, result: accepted }
  }

  /** Told once for each reason, not for each message. */
  #delayed(reason: string): void {
    this.counts.delayed++
    if (reason !== this.#trouble) this.#options.log.warn({ url: this.#options.url, reason }, 'uploads delayed')
    this.#trouble = reason
  }
}
