import type { Database } from '@kedge/shared/sqlite'

export interface RetainedRow {
  topic: string
  payload: Buffer
  qos: 0 | 1
}

export interface FilterRow {
  client: string
  filter: string
  qos: 0 | 1
}

export interface QueuedRow {
  id: number
  client: string
  topic: string
  payload: Buffer
}

/**
 * What the local MQTT broker has promised to keep: retained messages, the subscriptions of persistent sessions, and what
 * waits for their clients. Everything that writes runs inside `Store.commit`.
 */
export class LocalMqtt {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  retained(): RetainedRow[] {
    return this.#db.prepare<[], RetainedRow>('SELECT topic, payload, qos FROM mqtt_retained').all()
  }

  /** An empty payload removes the message (MQTT 3.1.1, 3.3.1.3). */
  retain({ topic, payload, qos }: RetainedRow): void {
    if (payload.length === 0) this.#run('DELETE FROM mqtt_retained WHERE topic = ?', topic)
    else this.#run('INSERT OR REPLACE INTO mqtt_retained (topic, payload, qos) VALUES (?, ?, ?)', topic, payload, qos)
  }

  filters(): FilterRow[] {
    return this.#db.prepare<[], FilterRow>('SELECT client, filter, qos FROM mqtt_filters').all()
  }

  subscribe({ client, filter, qos }: FilterRow): void {
    this.#run('INSERT OR REPLACE INTO mqtt_filters (client, filter, qos) VALUES (?, ?, ?)', client, filter, qos)
  }

  unsubscribe(client: string, filter: string): void {
    this.#run('DELETE FROM mqtt_filters WHERE client = ? AND filter = ?', client, filter)
  }

  /** Forgets a session and what waits for it. */
  forget(client: string): void {
    this.#run('DELETE FROM mqtt_filters WHERE client = ?', client)
    this.#run('DELETE FROM mqtt_queue WHERE client = ?', client)
  }

  /** What waits, oldest first. */
  queued(): QueuedRow[] {
    return this.#db.prepare<[], QueuedRow>('SELECT id, client, topic, payload FROM mqtt_queue ORDER BY id').all()
  }

  /** Returns the id of the row. */
  enqueue({ client, topic, payload }: Omit<QueuedRow, 'id'>): number {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO mqtt_queue (client, topic, payload) VALUES (?, ?, ?)')
      .run(client, topic, payload)
    return Number(lastInsertRowid)
  }

  dequeue(id: number): void {
    this.#run('DELETE FROM mqtt_queue WHERE id = ?', id)
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#db.prepare(sql).run(...values)
  }
}
