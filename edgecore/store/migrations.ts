import type { Database } from '@kedge/shared/sqlite'

/**
 * Each entry takes the database one version further and never changes once released. `PRAGMA user_version` counts them.
 */
export const migrations: readonly string[] = [
  `
  -- Small facts by name: epoch, revision, whether the last stop was clean.
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- The desired state of this node, as the cloud sent it. "content" is canonical JSON, "hash" is over its text.
  -- "refused" says why this edge cannot use an object that it holds.
  CREATE TABLE objects (
    key TEXT PRIMARY KEY, content TEXT NOT NULL, hash TEXT NOT NULL, refused TEXT
  ) STRICT, WITHOUT ROWID;

  -- What is known of a device beside its desired state. "device" is <namespace>/<name>; times are ms since the epoch.
  CREATE TABLE devices (
    device TEXT PRIMARY KEY, uid TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'unknown', last_online INTEGER
  ) STRICT, WITHOUT ROWID;

  -- One row per property. "cloud_desired" is the desired value that the cloud wrote last: a different one is an edit.
  -- A deleted property keeps its row, so that its versions go on.
  CREATE TABLE twins (
    device TEXT NOT NULL, property TEXT NOT NULL, type TEXT NOT NULL DEFAULT 'string',
    optional INTEGER NOT NULL DEFAULT 1, deleted INTEGER NOT NULL DEFAULT 0, cloud_desired TEXT,
    desired_value TEXT, desired_at INTEGER, desired_version INTEGER NOT NULL DEFAULT 0,
    reported_value TEXT, reported_at INTEGER, reported_version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (device, property)
  ) STRICT, WITHOUT ROWID;

  -- The status of each pod as last reported, JSON. "pod" is <namespace>/<name>.
  CREATE TABLE pods (
    pod TEXT PRIMARY KEY, uid TEXT NOT NULL, status TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- What the simulated container engine runs: it outlives edgecore, as a real engine's containers do.
  CREATE TABLE simulated_containers (
    id TEXT PRIMARY KEY, pod TEXT NOT NULL, uid TEXT NOT NULL, container TEXT NOT NULL, state TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Reports on their way to the cloud. One row per subject; "version" counts the folds into it, and only an answer to
  -- the newest version removes the row. "refused" says why Kubernetes will never take it.
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, subject TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 1, report TEXT NOT NULL, created_at INTEGER NOT NULL, refused TEXT
  ) STRICT;
  CREATE INDEX outbox_order ON outbox (lane, seq) WHERE refused IS NULL;
  `,
  `
  -- A device's report is a row in "outbox" that only names it ("parted") and a row here for each property that has news,
  -- so that one change writes one property, however many wait. The part "" is {state, lastOnlineTime}. "version" is the
  -- row's when the part was written.
  CREATE TABLE outbox_parts (
    seq INTEGER NOT NULL, part TEXT NOT NULL, version INTEGER NOT NULL, bytes INTEGER NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (seq, part)
  ) STRICT, WITHOUT ROWID;
  -- "bytes" counts the parts too; "born" is the running time of this node, in ms, when the row was written or set aside.
  ALTER TABLE outbox ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE outbox ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE outbox ADD COLUMN parted INTEGER NOT NULL DEFAULT 0;

  -- What waits in each lane, and what is set aside of it, kept by the triggers below so that nobody has to count.
  CREATE TABLE outbox_sums (
    lane INTEGER NOT NULL, aside INTEGER NOT NULL, reports INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (lane, aside)
  ) STRICT, WITHOUT ROWID;

  INSERT INTO outbox_parts SELECT seq, key, version, length(key) + length(coalesce(value, 'null')), coalesce(value, 'null')
    FROM outbox, json_each(report, '$.twins') WHERE report ->> 'is' = 'device';
  INSERT INTO outbox_parts SELECT seq, '', version, 64,
    json_patch('{}', json_object('state', report ->> 'state', 'lastOnlineTime', report ->> 'lastOnlineTime'))
    FROM outbox WHERE report ->> 'is' = 'device' AND (report ->> 'state' IS NOT NULL OR report ->> 'twins' IS NULL);
  UPDATE outbox SET parted = 1, report = json_remove(report, '$.twins', '$.state', '$.lastOnlineTime')
    WHERE report ->> 'is' = 'device';
  UPDATE outbox SET bytes = length(report) + coalesce((SELECT sum(bytes) FROM outbox_parts p WHERE p.seq = outbox.seq), 0);
  INSERT INTO outbox_sums SELECT lane, refused IS NOT NULL, count(*), sum(bytes) FROM outbox GROUP BY 1, 2;

  CREATE TRIGGER outbox_in AFTER INSERT ON outbox BEGIN
    INSERT INTO outbox_sums VALUES (NEW.lane, NEW.refused IS NOT NULL, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET reports = reports + 1, bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER outbox_gone AFTER DELETE ON outbox BEGIN
    DELETE FROM outbox_parts WHERE seq = OLD.seq;
    UPDATE outbox_sums SET reports = reports - 1, bytes = bytes - OLD.bytes
      WHERE lane = OLD.lane AND aside = (OLD.refused IS NOT NULL);
  END;
  CREATE TRIGGER outbox_grown AFTER UPDATE OF bytes ON outbox
  WHEN NEW.bytes <> OLD.bytes AND NEW.lane = OLD.lane AND (NEW.refused IS NULL) = (OLD.refused IS NULL) BEGIN
    UPDATE outbox_sums SET bytes = bytes + NEW.bytes - OLD.bytes
      WHERE lane = NEW.lane AND aside = (NEW.refused IS NOT NULL);
  END;
  CREATE TRIGGER outbox_moved AFTER UPDATE OF refused, lane ON outbox
  WHEN NEW.lane <> OLD.lane OR (NEW.refused IS NULL) <> (OLD.refused IS NULL) BEGIN
    UPDATE outbox_sums SET reports = reports - 1, bytes = bytes - OLD.bytes
      WHERE lane = OLD.lane AND aside = (OLD.refused IS NOT NULL);
    INSERT INTO outbox_sums VALUES (NEW.lane, NEW.refused IS NOT NULL, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET reports = reports + 1, bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER part_in AFTER INSERT ON outbox_parts BEGIN
    UPDATE outbox SET bytes = bytes + NEW.bytes WHERE seq = NEW.seq;
  END;
  CREATE TRIGGER part_out AFTER DELETE ON outbox_parts BEGIN
    UPDATE outbox SET bytes = bytes - OLD.bytes WHERE seq = OLD.seq;
  END;
  CREATE TRIGGER part_grown AFTER UPDATE OF bytes ON outbox_parts WHEN NEW.bytes <> OLD.bytes BEGIN
    UPDATE outbox SET bytes = bytes + NEW.bytes - OLD.bytes WHERE seq = NEW.seq;
  END;
  `,
  `
  -- The gRPC mappers that have registered. "ord" grows with each registration.
  CREATE TABLE mappers (
    name TEXT PRIMARY KEY, protocol TEXT NOT NULL, version TEXT NOT NULL, api_version TEXT NOT NULL,
    address TEXT NOT NULL, ord INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- The devices that a mapper was told of and may hold. "device" is <namespace>/<name>.
  CREATE TABLE mapper_devices (
    mapper TEXT NOT NULL, device TEXT NOT NULL, PRIMARY KEY (mapper, device)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What the local MQTT broker has promised to keep: retained messages, the subscriptions of clients that may be away, and
  -- what waits for them.
  CREATE TABLE mqtt_retained (
    topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE mqtt_filters (
    client TEXT NOT NULL, filter TEXT NOT NULL, qos INTEGER NOT NULL, PRIMARY KEY (client, filter)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE mqtt_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL
  ) STRICT;
  CREATE INDEX mqtt_queue_client ON mqtt_queue (client);
  `,
  `
  -- Pieces of large objects, packed, on their way to this node. "pack" is the hash of the packed object, "at" the place of
  -- the piece in it.
  CREATE TABLE pieces (
    seq INTEGER PRIMARY KEY, pack TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (pack, at)
  ) STRICT;
  `,
  `
  -- Reported values on their way to the targets of "pushMethod". "target" and "content" are JSON.
  CREATE TABLE pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, content TEXT NOT NULL
  ) STRICT;
  CREATE INDEX pushes_target ON pushes (target, id);
  `,
  `
  -- What a mapper held of a device when edgecore stopped; null while it runs, and after a crash.
  ALTER TABLE mapper_devices ADD COLUMN hash TEXT;
  `,
  `
  -- What is set aside is found without a look at all that waits.
  CREATE INDEX outbox_aside ON outbox (born) WHERE refused IS NOT NULL;
  `,
  `
  -- From here on the rows of Secrets in "objects" and all of "pieces" are encrypted (secret-rows.ts, sealing.ts): an
  -- edgecore from before would take them for damaged, and so does not open them.
  `,
  `
  -- Whether it was reported as well that the pod, as the cloud wants, has stopped for good.
  ALTER TABLE pods ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0;
  `,
]

/** No program ever wrote such a version: the file is damaged. */
export class ImpossibleVersion extends Error {}

const leastImpossible = 10_000

/** Brings the database to the newest version; throws when a newer program has written it. */
export function migrate(db: Database): void {
  const version = db.pragma('user_version', { simple: true }) as number
  if (version < 0 || version >= leastImpossible) throw new ImpossibleVersion(`the database is of version ${version}`)
  if (version > migrations.length) {
    throw new Error(`the database is of version ${version}, this edgecore knows ${migrations.length}: upgrade edgecore`)
  }
  migrations.slice(version).forEach((sql, index) => {
    db.transaction(() => {
      db.exec(sql)
      db.pragma(`user_version = ${version + index + 1}`)
    })()
  })
}
