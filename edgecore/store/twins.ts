import type { Database } from '@kedge/shared/sqlite'
import type { Twin } from '@kedge/shared/twin'

/** What is known of a device beside its desired state. */
export interface DeviceRow {
  /** `<namespace>/<name>` */
  device: string
  uid: string
  /** As the device reported it last, `unknown` before. */
  state: string
  /** Milliseconds since the epoch, or null when it never was. */
  lastOnline: number | null
}

interface Row {
  device: string
  property: string
  type: string
  optional: number
  deleted: number
  cloud_desired: string | null
  desired_value: string | null
  desired_at: number | null
  desired_version: number
  reported_value: string | null
  reported_at: number | null
  reported_version: number
}

type RawDevice = Omit<DeviceRow, 'lastOnline'> & { last_online: number | null }

/** The tables of devices and their twins. Reads are immediate; writes belong inside `Store.commit`. */
export class TwinTable {
  readonly #devices
  readonly #twins
  readonly #device
  readonly #twinsOf
  readonly #putDevice
  readonly #dropDevice
  readonly #putTwin
  readonly #dropTwins

  constructor(db: Database) {
    this.#devices = db.prepare<[], RawDevice>('SELECT * FROM devices ORDER BY device')
    this.#twins = db.prepare<[], Row>('SELECT * FROM twins ORDER BY device, property')
    this.#device = db.prepare<[string], RawDevice>('SELECT * FROM devices WHERE device = ?')
    this.#twinsOf = db.prepare<[string], Row>('SELECT * FROM twins WHERE device = ? ORDER BY property')
    this.#putDevice = db.prepare(
      'INSERT OR REPLACE INTO devices (device, uid, state, last_online) VALUES (@device, @uid, @state, @lastOnline)',
    )
    this.#dropDevice = db.prepare('DELETE FROM devices WHERE device = ?')
    this.#putTwin = db.prepare(`
      INSERT OR REPLACE INTO twins (device, property, type, optional, deleted, cloud_desired,
        desired_value, desired_at, desired_version, reported_value, reported_at, reported_version)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    this.#dropTwins = db.prepare('DELETE FROM twins WHERE device = ?')
  }

  devices(): DeviceRow[] {
    return this.#devices.all().map(deviceOf)
  }

  /** `<namespace>/<name>` */
  device(device: string): DeviceRow | undefined {
    const row = this.#device.get(device)
    return row && deviceOf(row)
  }

  /** The twins of one device by property, tombstones included. */
  twinsOf(device: string): Map<string, Twin> {
    return new Map(this.#twinsOf.all(device).map((row) => [row.property, read(row)]))
  }

  /** The twins of every device, by `<namespace>/<name>` and property, tombstones included. */
  all(): Map<string, Map<string, Twin>> {
    const byDevice = new Map<string, Map<string, Twin>>()
    for (const row of this.#twins.iterate()) {
      const twins = byDevice.get(row.device) ?? new Map<string, Twin>()
      byDevice.set(row.device, twins.set(row.property, read(row)))
    }
    return byDevice
  }

  putDevice(row: DeviceRow): void {
    this.#putDevice.run(row)
  }

  /** Removes a device with its twins. */
  dropDevice(device: string): void {
    this.#dropTwins.run(device)
    this.#dropDevice.run(device)
  }

  putTwin(device: string, property: string, { type, optional, deleted, cloudDesired, desired, reported }: Twin): void {
    this.#putTwin.run(
      device,
      property,
      type,
      optional ? 1 : 0,
      deleted ? 1 : 0,
      cloudDesired ?? null,
      desired.value ?? null,
      desired.at ?? null,
      desired.version,
      reported.value ?? null,
      reported.at ?? null,
      reported.version,
    )
  }
}

function deviceOf({ last_online, ...row }: RawDevice): DeviceRow {
  return { ...row, lastOnline: last_online }
}

function read(row: Row): Twin {
  return {
    type: row.type,
    optional: row.optional === 1,
    deleted: row.deleted === 1,
    cloudDesired: row.cloud_desired ?? undefined,
    desired: {
      value: row.desired_value ?? undefined,
      at: row.desired_at ?? undefined,
      version: row.desired_version,
    },
    reported: {
      value: row.reported_value ?? undefined,
      at: row.reported_at ?? undefined,
      version: row.reported_version,
    },
  }
}
