import type { Database } from '@kedge/shared/sqlite'

export interface PodRow {
  /** `<namespace>/<name>` */
  pod: string
  uid: string
  /** `Pod.status` as last reported. */
  status: Record<string, unknown>
}

interface Row {
  pod: string
  uid: string
  status: string
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
    this.#put = db.prepare('INSERT OR REPLACE INTO pods (pod, uid, status) VALUES (?, ?, ?)')
    this.#drop = db.prepare('DELETE FROM pods WHERE pod = ?')
  }

  get(pod: string): PodRow | undefined {
    const row = this.#get.get(pod)
    return row && read(row)
  }

  all(): PodRow[] {
    return this.#all.all().map(read)
  }

  put({ pod, uid, status }: PodRow): void {
    this.#put.run(pod, uid, JSON.stringify(status))
  }

  drop(pod: string): void {
    this.#drop.run(pod)
  }
}

function read({ status, ...row }: Row): PodRow {
  return { ...row, status: JSON.parse(status) as Record<string, unknown> }
}
