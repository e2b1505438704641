-- A store as schema version 1 had it, with four runs: sqlite3 FILE .dump, and the two numbers that it leaves out.
PRAGMA application_id = 1248818540;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO study VALUES(1,'old','Written with schema version 1',replace('name: old\nquestion: Written with schema version 1\nseed: 3\nrepetitions: 2\nfactors:\n  word: [one, two]\ncommand: [sh, -c, "echo {word}; sleep 0.2"]\n','\n',char(10)),'{"command":["sh","-c","echo {word}; sleep 0.2"],"cooldown":0.0,"directory":"study","factors":[{"factor":"word","levels":["one","two"]}],"order":"shuffled","seed":3,"timeout":0.0}',3,NULL,NULL,'2026-11-23T22:36:04Z');
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
INSERT INTO "plan" VALUES(0,1);
INSERT INTO "plan" VALUES(1,1);
INSERT INTO "plan" VALUES(2,2);
INSERT INTO "plan" VALUES(3,2);
CREATE TABLE plan_factor (
    position INTEGER NOT NULL REFERENCES plan,
    factor   TEXT NOT NULL,
    level    TEXT NOT NULL,
    ordinal  INTEGER NOT NULL,           -- the factor's place in the study file
    PRIMARY KEY (position, factor)
) STRICT;
INSERT INTO plan_factor VALUES(0,'word','two',0);
INSERT INTO plan_factor VALUES(1,'word','one',0);
INSERT INTO plan_factor VALUES(2,'word','two',0);
INSERT INTO plan_factor VALUES(3,'word','one',0);
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
INSERT INTO host VALUES(1,'vm','Intel(R) Xeon(R) Processor','Linux 6.1.0-40-amd64 x86_64','Debian GNU/Linux 12 (bookworm)','kvm','0.1.0',1,2,25276063744);
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
INSERT INTO run VALUES(1,0,'done','2026-11-23T22:36:04Z','["sh","-c","echo two; sleep 0.2"]','exited',0,NULL,0.20482827700000000303,1,10.0,0.0021930000000000005044,5070848,0,0,replace('two\n','\n',char(10)));
INSERT INTO run VALUES(2,1,'done','2026-11-23T22:36:04Z','["sh","-c","echo one; sleep 0.2"]','exited',0,NULL,0.20207609400000001165,1,10.0,0.0019559999999999994058,5332992,0,0,replace('one\n','\n',char(10)));
INSERT INTO run VALUES(3,2,'done','2026-11-23T22:36:04Z','["sh","-c","echo two; sleep 0.2"]','exited',0,NULL,0.20221263100000000378,1,10.0,0.002119000000000001091,5341184,0,0,replace('two\n','\n',char(10)));
INSERT INTO run VALUES(4,3,'done','2026-11-23T22:36:04Z','["sh","-c","echo one; sleep 0.2"]','exited',0,NULL,0.20313865400000000183,1,10.0,0.0024370000000000016648,5349376,0,0,replace('one\n','\n',char(10)));
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
INSERT INTO channel VALUES(1,0,'cpu-model','cpu',NULL,'cpu','model',1.0000000000000000622e-09,0.0,0.0,0.0,0.69999999999999995559,'estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO channel VALUES(2,0,'cpu-model','cpu',NULL,'cpu','model',1.0000000000000000622e-09,0.0,0.0,0.0,0.69999999999999995559,'estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO channel VALUES(3,0,'cpu-model','cpu',NULL,'cpu','model',1.0000000000000000622e-09,0.0,0.0,0.0,0.69999999999999995559,'estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO channel VALUES(4,0,'cpu-model','cpu',NULL,'cpu','model',1.0000000000000000622e-09,0.0,0.0,0.0,0.69999999999999995559,'estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
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
INSERT INTO "window" VALUES(1,0,'run',0,-1,0.0,0.20482827700000000303,1,1.7226289324011900827,1.2058404056093798839,1,NULL,NULL);
INSERT INTO "window" VALUES(2,0,'run',0,-1,0.0,0.20207609400000001165,1,0.681580729868604962,0.4771065355667318264,1,NULL,NULL);
INSERT INTO "window" VALUES(3,0,'run',0,-1,0.0,0.20221263100000000378,1,0.11113527409824940084,0.077794787642691348716,1,NULL,NULL);
INSERT INTO "window" VALUES(4,0,'run',0,-1,0.0,0.20313865400000000183,1,0.012977535485700996895,0.0090842777719597998797,1,NULL,NULL);
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
INSERT INTO energy VALUES(1,0,0,1.7226289324011900827,1.2058404056093798839,0.0);
INSERT INTO energy VALUES(2,0,0,0.681580729868604962,0.4771065355667318264,0.0);
INSERT INTO energy VALUES(3,0,0,0.11113527409824940084,0.077794787642691348716,0.0);
INSERT INTO energy VALUES(4,0,0,0.012977535485700996895,0.0090842777719597998797,0.0);
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
INSERT INTO note VALUES(1,'cpu-model/cpu: estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO note VALUES(1,'not measured: rapl: /sys/class/powercap: No such file or directory');
INSERT INTO note VALUES(2,'cpu-model/cpu: estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO note VALUES(2,'not measured: rapl: /sys/class/powercap: No such file or directory');
INSERT INTO note VALUES(3,'cpu-model/cpu: estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO note VALUES(3,'not measured: rapl: /sys/class/powercap: No such file or directory');
INSERT INTO note VALUES(4,'cpu-model/cpu: estimated from the CPU load and 14.2 W of thermal design power, 7.1 W a logical CPU: Intel(R) Xeon(R) Processor is a virtual machine: only its own share of the host''s processor is estimated');
INSERT INTO note VALUES(4,'not measured: rapl: /sys/class/powercap: No such file or directory');
CREATE TABLE trace (                     -- blocks of a power trace, store/trace.c has the format
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    samples  INTEGER NOT NULL,
    block    BLOB NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT;
INSERT INTO trace VALUES(1,0,2,X'010e000000789c63606048fc329ba79fe9da21ae874e0020e10553');
INSERT INTO trace VALUES(2,0,2,X'010e000000789c63606030dd329ba7f0d077b6a3c758011f9e0551');
INSERT INTO trace VALUES(3,0,2,X'0110000000789c63606078c9f86536cf61c67d8b19f7cf6404002e1d0605');
INSERT INTO trace VALUES(4,0,2,X'010c000000789c636060886e99c33399e91f27030011de0324');
CREATE UNIQUE INDEX run_once ON run (position) WHERE state IN ('running', 'done', 'failed');
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
  LEFT JOIN host ON host.id = run.host
;
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
COMMIT;
