import { Drain } from '@kedge/edgecore/reports/drain'
import { migrate } from '@kedge/edgecore/store/migrations'
import { Outbox } from '@kedge/edgecore/store/outbox'
import type { Frame } from '@kedge/shared/frames'
import { parseReport } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import type { EventReport, Report } from '@kedge/shared/reports'
import { Database } from '@kedge/shared/sqlite'
import { HandClock } from '../../support/hand-clock.ts'

/** One thing that happens. */
export type Step =
  | { is: 'say'; device: number; property: number; value: number }
  | { is: 'event'; warning: boolean; bad: boolean; size: number }
  | { is: 'carry'; frames: number }
  | { is: 'lose' }
  | { is: 'repeat' }
  | { is: 'write'; refuse: boolean }
  | { is: 'answer'; which: number; keep: boolean }
  | { is: 'cut' }
  | { is: 'link' }
  | { is: 'crash edge' }
  | { is: 'crash cloud' }
  | { is: 'wait'; ms: number }
  | { is: 'jump'; ms: number }
  | { is: 'tidy' }

interface Waiting {
  box: string
  ref: [number, number]
  report: Report
}

/** Small enough that events are dropped now and then. */
const bounds = { bytes: 12_000, age: 3_600_000 }

/**
 * An edge with its real outbox and drain, a cloud that merges reports in memory and writes them to "Kubernetes" later, and
 * a network between them that loses, repeats and delays. Frames of one connection keep their order on the way up, as MQTT
 * keeps it; answers do as they like.
 */
export class World {
  readonly #db = new Database(':memory:')
  readonly #clock = new HandClock()
  #outbox: Outbox
  #drain: Drain
  #runs = 0
  #linked = false
  #up: Frame<'reports'>[] = []
  #answers: Frame<'answered'>[] = []
  #ids = 0
  /** What the cloud has heard and not written. */
  #heard: Waiting[] = []
  #live = new Map<string, string>()
  /** What everyone was told is kept. */
  readonly said = { states: new Map<string, string>(), events: new Map<string, boolean>() }
  /** What Kubernetes holds. */
  readonly kube = { states: new Map<string, string>(), events: new Set<string>(), gaps: new Map<string, number>() }

  constructor() {
    migrate(this.#db)
    this.#outbox = this.#openOutbox()
    this.#drain = this.#openDrain()
  }

  get left(): { waiting: number; aside: string[] } {
    const aside = this.#outbox.aside().map(({ subject }) => subject)
    return { waiting: this.#outbox.pending(1e6).length, aside }
  }

  async take(step: Step): Promise<void> {
    this.#do(step)
    // What was committed is told in the turns after.
    for (let turn = 0; turn < 4; turn++) await Promise.resolve()
  }

  /** Everything works from now on, for as long as it takes. */
  async heal(): Promise<void> {
    await this.take({ is: 'link' })
    for (let round = 0; round < 400; round++) {
      await this.take({ is: 'carry', frames: 1000 })
      await this.take({ is: 'write', refuse: false })
      while (this.#answers.length > 0) await this.take({ is: 'answer', which: 0, keep: false })
      await this.take({ is: 'wait', ms: round % 20 === 19 ? 1_000_000 : 300 })
      if (this.left.waiting === 0 && this.#up.length === 0 && this.#heard.length === 0) return
    }
    throw new Error(`not at rest: ${JSON.stringify(this.#outbox.pending(3))}`)
  }

  close(): void {
    this.#drain.down()
    this.#db.close()
  }

  #do(step: Step): void {
    switch (step.is) {
      case 'say':
        return this.#say(`d${step.device}`, `p${step.property}`, String(step.value))
      case 'event':
        return this.#event(step)
      case 'carry':
        for (const frame of this.#up.splice(0, step.frames)) this.#hear(frame)
        return
      case 'lose':
        this.#up.shift()
        return
      case 'repeat':
        for (const frame of this.#up.slice(0, 1)) this.#hear(frame)
        return
      case 'write':
        return this.#write(step.refuse)
      case 'answer':
        return this.#answer(step)
      case 'cut':
        this.#linked = false
        this.#drain.down()
        this.#up = []
        return
      case 'link':
        this.#linked = true
        this.#drain.up()
        return
      case 'crash edge':
        return this.#crashEdge()
      case 'crash cloud':
        this.#heard = []
        this.#live = new Map(this.kube.states)
        // Behind a broker the edge does not notice; the cloud tells it to begin anew.
        if (this.#linked) this.#drain.up()
        return
      case 'wait':
        return this.#wait(step.ms)
      case 'jump':
        return this.#clock.jump(step.ms)
      case 'tidy':
        this.#commit(() => this.#outbox.tidy())
    }
  }

  #say(device: string, property: string, value: string): void {
    const twins = { [property]: { type: 'string', reported: { value, at: this.#clock.now() } } }
    this.#commit(() => this.#outbox.add({ is: 'device', namespace: 'default', name: device, uid: device, twins }))
    this.said.states.set(`${device}/${property}`, value)
  }

  #event({ warning, bad, size }: Extract<Step, { is: 'event' }>): void {
    const id = `event-${String(++this.#ids).padStart(6, '0')}`
    const report: EventReport = {
      ...{ is: 'event', id, type: warning ? 'Warning' : 'Normal', reason: bad ? 'Bad' : 'Good', by: 'test' },
      regarding: { apiVersion: 'v1', kind: 'Node', name: 'edge-1' },
      message: 'm'.repeat(size),
      at: this.#clock.now(),
    }
    this.#commit(() => this.#outbox.add(report))
    this.said.events.set(id, bad)
  }

  #hear({ box, items }: Frame<'reports'>): void {
    for (const { seq, version, report } of items) {
      const parsed = parseReport(report)
      if (!parsed.ok) throw new Error(parsed.reason)
      this.#heard.push({ box, ref: [seq, version], report: parsed.report })
      if (parsed.report.is !== 'device') continue
      for (const [property, twin] of Object.entries(parsed.report.twins ?? {})) {
        this.#live.set(`${parsed.report.name}/${property}`, twin?.reported?.value ?? '')
      }
    }
  }

  /** Kubernetes takes what was heard, or refuses the states of it. */
  #write(refuse: boolean): void {
    if (!refuse) this.kube.states = new Map(this.#live)
    // What was refused must not spoil the next write.
    else this.#live = new Map(this.kube.states)
    const answers = new Map<string, Frame<'answered'>>()
    for (const { box, ref, report } of this.#heard.splice(0)) {
      const frame = answers.get(box) ?? { is: 'answered' as const, box, accepted: [], refused: [] }
      answers.set(box, frame)
      const reason = this.#keep(report, refuse)
      if (reason === undefined) frame.accepted.push(ref)
      else frame.refused.push({ ref, reason })
    }
    this.#answers.push(...answers.values())
  }

  #keep(report: Report, refuse: boolean): string | undefined {
    if (report.is === 'device') return refuse ? 'not now' : undefined
    if (report.is === 'gap') this.kube.gaps.set(report.id, Math.max(report.count, this.kube.gaps.get(report.id) ?? 0))
    if (report.is !== 'event') return undefined
    if (report.reason === 'Bad') return 'a bad event'
    this.kube.events.add(report.id)
    return undefined
  }

  #answer({ which, keep }: { which: number; keep: boolean }): void {
    const at = which % Math.max(1, this.#answers.length)
    const frame = this.#answers[at]
    if (frame === undefined) return
    if (!keep) this.#answers.splice(at, 1)
    if (this.#linked) this.#drain.answered(frame)
  }

  #crashEdge(): void {
    this.#drain.down()
    this.#clock.forget()
    this.#linked = false
    this.#up = []
    this.#outbox = this.#openOutbox()
    this.#drain = this.#openDrain()
  }

  #wait(ms: number): void {
    for (let left = ms; left > 0; ) left -= this.#clock.tick(left)
    this.#drain.tick()
    // What the tick has scheduled is due at once.
    this.#clock.tick(60)
  }

  #openOutbox(): Outbox {
    return new Outbox(this.#db, this.#clock, { bounds, newId: () => `gap-${String(++this.#ids).padStart(6, '0')}` })
  }

  #openDrain(): Drain {
    this.#runs += 1
    return new Drain({
      store: { commit: async (write) => this.#commit(write) },
      outbox: this.#outbox,
      box: `box.${this.#runs}`,
      send: (frame) => {
        // As the wire has it: nothing is shared between the two ends.
        if (this.#linked) this.#up.push(JSON.parse(JSON.stringify(frame)) as Frame<'reports'>)
        return this.#linked
      },
      clock: this.#clock,
      scheduler: this.#clock,
      random: () => 0.5,
      log: silentLog,
    })
  }

  #commit<T>(write: () => T): T {
    return this.#db.transaction(write)()
  }
}
