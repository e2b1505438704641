-- The store's schema, version 1 (PRAGMA user_version). The views at the end are a promise: docs/json.md.
-- Joules, seconds since the start of the run, UTC. No emissions: those are worked out when asked.

CREATE TABLE study (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    name        TEXT NOT NULL,
    question    TEXT,                    -- what the study asks, in its author's words
    definition  TEXT NOT NULL,           -- the study file as it was last run
    fingerprint TEXT NOT NULL,           -- all that decides the runs, as JSON: the same study goes on, another is refused
    seed        INTEGER NOT NULL,
    location    TEXT,                    -- what a report assumes unless it is told otherwise
    pue         REAL,
    created     TEXT NOT NULL
) STRICT;

CREATE TABLE owner (                     -- the process that runs the study; no row: none does
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    pid   INTEGER NOT NULL,
    boot  TEXT NOT NULL,                 -- in which boot, and
    start INTEGER NOT NULL               -- that process's start in clock ticks: a pid can be used again
) STRICT;

CREATE TABLE plan (                      -- one row a run that the design asks for
    position   INTEGER PRIMARY KEY,      -- the order of execution, from 0
    repetition INTEGER NOT NULL          -- from 1
) STRICT;

CREATE TABLE plan_factor (
    position INTEGER NOT NULL REFERENCES plan,
    factor   TEXT NOT NULL,
    level    TEXT NOT NULL,
    ordinal  INTEGER NOT NULL,           -- the factor's place in the study file
    PRIMARY KEY (position, factor)
) STRICT;

CREATE TABLE host (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    cpu_model      TEXT NOT NULL,
    kernel         TEXT NOT NULL,
    os             TEXT NOT NULL,
    virtualisation TEXT NOT NULL,
    version        TEXT NOT NULL,
    sockets        INTEGER NOT NULL,
    logical_cpus   INTEGER NOT NULL,
    memory_bytes   INTEGER NOT NULL,
    UNIQUE (name, cpu_model, kernel, os, virtualisation, version, sockets, logical_cpus, memory_bytes)
) STRICT;

CREATE TABLE run (                       -- one row an attempt
    id                 INTEGER PRIMARY KEY,
    position           INTEGER NOT NULL REFERENCES plan,
    state              TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cut')),
    started            TEXT NOT NULL,
    command            TEXT,             -- a JSON array; this and what follows: NULL until the run ends
    ended              TEXT CHECK (ended IN ('exited', 'signalled', 'not started')),
    exit_status        INTEGER,
    term_signal        INTEGER,
    wall_s             REAL,
    host               INTEGER REFERENCES host,
    rate_hz            REAL,
    recorder_cpu_s     REAL,
    recorder_peak_rss  INTEGER,
    marks_received     INTEGER,
    marks_rejected     INTEGER,
    output_tail        TEXT
) STRICT;

-- a position has at most one run that counts
CREATE UNIQUE INDEX run_once ON run (position) WHERE state IN ('running', 'done', 'failed');

CREATE TABLE channel (
    run             INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    ordinal         INTEGER NOT NULL,
    meter           TEXT NOT NULL,
    name            TEXT NOT NULL,
    part_of         TEXT,
    scope           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    resolution      REAL NOT NULL,
    range_j         REAL NOT NULL,
    update_s        REAL NOT NULL,       -- 0: not known
    max_power_w     REAL NOT NULL,       -- 0: not known
    accuracy        REAL NOT NULL,
    accuracy_source TEXT NOT NULL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE window (
    run       INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    ordinal   INTEGER NOT NULL,          -- 0 is the run
    name      TEXT NOT NULL,
    "index"   INTEGER NOT NULL,
    parent    INTEGER NOT NULL,          -- ordinal of the enclosing window; -1: none
    start_s   REAL NOT NULL,
    wall_s    REAL NOT NULL,
    complete  INTEGER NOT NULL,
    -- the totals, docs/method.md; NULL where nothing is known
    software_j             REAL,
    software_uncertainty_j REAL,
    estimated              INTEGER NOT NULL,
    hardware_j             REAL,
    hardware_uncertainty_j REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE energy (                    -- no row: not known
    run           INTEGER NOT NULL,
    window        INTEGER NOT NULL,
    channel       INTEGER NOT NULL,
    energy_j      REAL NOT NULL,
    uncertainty_j REAL NOT NULL,
    gap_s         REAL NOT NULL,
    PRIMARY KEY (run, window, channel),
    FOREIGN KEY (run, window) REFERENCES window ON DELETE CASCADE,
    FOREIGN KEY (run, channel) REFERENCES channel ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE metric (
    run    INTEGER NOT NULL,
    window INTEGER NOT NULL,
    name   TEXT NOT NULL,
    value  REAL NOT NULL,
    PRIMARY KEY (run, window, name),
    FOREIGN KEY (run, window) REFERENCES window ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
    run     INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    start_s REAL NOT NULL,
    wall_s  REAL NOT NULL,
    reason  TEXT NOT NULL,
    FOREIGN KEY (run, channel) REFERENCES channel ON DELETE CASCADE
) STRICT;

CREATE TABLE note (
    run  INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE trace (                     -- blocks of a power trace, store/trace.c has the format
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    samples  INTEGER NOT NULL,
    block    BLOB NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT;

CREATE VIEW runs AS
SELECT run.id AS run, run.position, plan.repetition, run.state, run.started,
       (SELECT json_group_object(factor, level)
          FROM (SELECT factor, level FROM plan_factor f WHERE f.position = run.position ORDER BY ordinal))
           AS factors,
       run.exit_status, run.wall_s, w.software_j, w.software_uncertainty_j, w.estimated, w.hardware_j,
       w.hardware_uncertainty_j,
       -- the last value the workload gave, whichever window it belongs to
       (SELECT m.value FROM metric m WHERE m.run = run.id AND m.name = 'val_accuracy'
         ORDER BY m.window DESC LIMIT 1) AS val_accuracy,
       (SELECT m.value FROM metric m WHERE m.run = run.id AND m.name = 'accuracy'
         ORDER BY m.window DESC LIMIT 1) AS accuracy,
       run.command, run.output_tail, host.name AS host
  FROM run
  JOIN plan USING (position)
  LEFT JOIN window w ON w.run = run.id AND w.ordinal = 0
  LEFT JOIN host ON host.id = run.host;

CREATE VIEW energies AS
SELECT e.run, w.name AS window, w."index", c.meter, c.name AS channel, c.part_of, c.scope, c.kind,
       e.energy_j, e.uncertainty_j, e.gap_s, w.wall_s
  FROM energy e
  JOIN window w ON w.run = e.run AND w.ordinal = e.window
  JOIN channel c ON c.run = e.run AND c.ordinal = e.channel;

CREATE VIEW epochs AS
SELECT w.run, w."index" AS epoch, w.start_s, w.wall_s, w.complete, w.software_j, w.software_uncertainty_j,
       w.estimated, w.hardware_j,
       max(CASE m.name WHEN 'loss' THEN m.value END) AS loss,
       max(CASE m.name WHEN 'accuracy' THEN m.value END) AS accuracy,
       max(CASE m.name WHEN 'val_loss' THEN m.value END) AS val_loss,
       max(CASE m.name WHEN 'val_accuracy' THEN m.value END) AS val_accuracy
  FROM window w
  LEFT JOIN metric m ON m.run = w.run AND m.window = w.ordinal
 WHERE w.name = 'epoch'
 GROUP BY w.run, w.ordinal;
