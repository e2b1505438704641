-- From version 2 to version 3: what is not known of an imported run may be NULL, and SQLite loosens no column in place.
-- Foreign keys are off meanwhile; the views are made anew afterwards.

DROP VIEW IF EXISTS runs;
DROP VIEW IF EXISTS energies;
DROP VIEW IF EXISTS epochs;
ALTER TABLE run ADD COLUMN source TEXT;

CREATE TABLE channel_3 (
    run             INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    ordinal         INTEGER NOT NULL,
    meter           TEXT NOT NULL,
    name            TEXT NOT NULL,
    part_of         TEXT,
    scope           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    resolution      REAL NOT NULL,
    range_j         REAL NOT NULL,
    update_s        REAL NOT NULL,
    max_power_w     REAL NOT NULL,
    accuracy        REAL,
    accuracy_source TEXT NOT NULL,
    label           TEXT,
    still_most_s    REAL NOT NULL DEFAULT 0,
    averaging_s     REAL NOT NULL DEFAULT 0,
    apart           INTEGER NOT NULL DEFAULT 0,
    twin            INTEGER NOT NULL DEFAULT 0,
    idle_w          REAL,
    idle_uncertainty_w REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO channel_3 SELECT * FROM channel;
DROP TABLE channel;
ALTER TABLE channel_3 RENAME TO channel;

CREATE TABLE window_3 (
    run       INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    ordinal   INTEGER NOT NULL,
    name      TEXT NOT NULL,
    "index"   INTEGER NOT NULL,
    parent    INTEGER NOT NULL,
    start_s   REAL,
    wall_s    REAL,
    complete  INTEGER NOT NULL,
    software_j             REAL,
    software_uncertainty_j REAL,
    estimated              INTEGER NOT NULL,
    hardware_j             REAL,
    hardware_uncertainty_j REAL,
    software_above_idle_j  REAL,
    software_above_idle_uncertainty_j REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO window_3 SELECT * FROM window;
DROP TABLE window;
ALTER TABLE window_3 RENAME TO window;

CREATE TABLE energy_3 (
    run           INTEGER NOT NULL,
    window        INTEGER NOT NULL,
    channel       INTEGER NOT NULL,
    energy_j      REAL NOT NULL,
    uncertainty_j REAL,
    gap_s         REAL NOT NULL,
    PRIMARY KEY (run, window, channel),
    FOREIGN KEY (run, window) REFERENCES window ON DELETE CASCADE,
    FOREIGN KEY (run, channel) REFERENCES channel ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO energy_3 SELECT * FROM energy;
DROP TABLE energy;
ALTER TABLE energy_3 RENAME TO energy;

CREATE TABLE imported (
    run    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    source TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run, source, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX imported_value ON imported (source, name, value);
