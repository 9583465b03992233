import type { Database } from '@kedge/shared/sqlite'

export interface PodRow {
  /** `<namespace>/<name>` */
  pod: string
  uid: string
  /** `Pod.status` as last reported. */
  status: Record<string, unknown>
  /** Whether it was reported, too, that the pod has stopped for good, as the cloud wants. */
  stopped: boolean
}

interface Row {
  pod: string
  uid: string
  status: string
  stopped: 0 | 1
}

/** The status of each pod as last reported. Writes belong inside `Store.commit`, with the report in the outbox. */
export class PodStatuses {
  readonly #get
  readonly #all
  readonly #put
  readonly #drop

  constructor(db: Database) {
    this.#get = db.prepare<[string], Row>('SELECT * FROM pods WHERE pod = ?')
    this.#all = db.prepare<[], Row>('SELECT * FROM pods ORDER BY pod')
    this.#put = db.prepare('INSERT OR REPLACE INTO pods (pod, uid, status, stopped) VALUES (?, ?, ?, ?)')
    this.#drop = db.prepare('DELETE FROM pods WHERE pod = ?')
  }

  get(pod: string): PodRow | undefined {
    const row = this.#get.get(pod)
    return row && read(row)
  }

  all(): PodRow[] {
    return this.#all.all().map(read)
  }

  put({ pod, uid, status, stopped }: PodRow): void {
    this.#put.run(pod, uid, JSON.stringify(status), stopped ? 1 : 0)
  }

  drop(pod: string): void {
    this.#drop.run(pod)
  }
}

function read({ status, stopped, ...row }: Row): PodRow {
  return { ...row, status: JSON.parse(status) as Record<string, unknown>, stopped: stopped === 1 }
}
