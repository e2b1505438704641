-- The store's tables, version 3 (PRAGMA user_version); views.sql has the views, upgrade_1.sql and upgrade_2.sql the
-- ways from versions 1 and 2. Joules, seconds since the start of the run, UTC. No emissions: those are worked out when
-- asked.

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
    output_tail        TEXT,
    baseline           TEXT,             -- what the machine at rest was measured by; NULL: it was not
    command_cpu_s      REAL,             -- NULL, and all that follows: nothing could be attributed
    machine_cpu_s      REAL,
    attributed_j       REAL,
    attributed_uncertainty_j REAL,
    attribution_basis  TEXT,
    source             TEXT              -- NULL: measured here; else where it was imported from
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
    accuracy        REAL,                -- NULL: not known
    accuracy_source TEXT NOT NULL,
    label           TEXT,                -- which piece of hardware; NULL: the name says it
    still_most_s    REAL NOT NULL DEFAULT 0, -- 0: it may stand still
    averaging_s     REAL NOT NULL DEFAULT 0, -- 0: of the moment
    apart           INTEGER NOT NULL DEFAULT 0, -- 1: never in a total
    twin            INTEGER NOT NULL DEFAULT 0, -- 1: the quantity of part_of by another way
    idle_w          REAL,                -- NULL: the baseline doesn't know it
    idle_uncertainty_w REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE window (
    run       INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    ordinal   INTEGER NOT NULL,          -- 0 is the run
    name      TEXT NOT NULL,
    "index"   INTEGER NOT NULL,
    parent    INTEGER NOT NULL,          -- ordinal of the enclosing window; -1: none
    start_s   REAL,                      -- NULL: whoever reported the window gave no times
    wall_s    REAL,
    complete  INTEGER NOT NULL,
    -- the totals, docs/method.md; NULL where nothing is known
    software_j             REAL,
    software_uncertainty_j REAL,
    estimated              INTEGER NOT NULL,
    hardware_j             REAL,
    hardware_uncertainty_j REAL,
    software_above_idle_j  REAL,
    software_above_idle_uncertainty_j REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE energy (                    -- no row: not known
    run           INTEGER NOT NULL,
    window        INTEGER NOT NULL,
    channel       INTEGER NOT NULL,
    energy_j      REAL NOT NULL,
    uncertainty_j REAL,                  -- NULL: of an imported energy nobody says it
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

CREATE TABLE imported (                  -- what the file an imported run came from says, word for word
    run    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    source TEXT NOT NULL,                -- 'codecarbon', 'wattmeter', …
    name   TEXT NOT NULL,                -- the file's own name of it
    value  TEXT NOT NULL,
    PRIMARY KEY (run, source, name)
) STRICT, WITHOUT ROWID;

-- whether a row came in before
CREATE INDEX imported_value ON imported (source, name, value);
