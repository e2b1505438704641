-- A store as schema version 2 had it, with two runs: sqlite3 FILE .dump, and the two numbers that it leaves out.
PRAGMA application_id = 1248818540;
PRAGMA user_version = 2;
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
INSERT INTO study VALUES(1,'old','Written with schema version 2',replace('name: old\nquestion: Written with schema version 2\nseed: 3\nrepetitions: 1\nfactors:\n  word: [one, two]\ncommand: [sh, -c, "echo {word}; python3 examples/mark.py"]\n','\n',char(10)),'{"command":["sh","-c","echo {word}; python3 {directory}/mark.py"],"cooldown":0.0,"directory":"study","factors":[{"factor":"word","levels":["one","two"]}],"order":"shuffled","seed":3,"timeout":0.0}',3,NULL,NULL,'2026-11-27T23:27:36Z');
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
CREATE TABLE plan_factor (
    position INTEGER NOT NULL REFERENCES plan,
    factor   TEXT NOT NULL,
    level    TEXT NOT NULL,
    ordinal  INTEGER NOT NULL,           -- the factor's place in the study file
    PRIMARY KEY (position, factor)
) STRICT;
INSERT INTO plan_factor VALUES(0,'word','two',0);
INSERT INTO plan_factor VALUES(1,'word','one',0);
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
INSERT INTO host VALUES(1,'vm','Intel(R) Xeon(R) Processor','Linux 6.1.0-40-amd64 x86_64','Debian GNU/Linux 12 (bookworm)','kvm','0.1.0',1,2,25276510208);
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
    attribution_basis  TEXT
) STRICT;
INSERT INTO run VALUES(1,0,'done','2026-11-27T23:27:36Z','["sh","-c","echo two; python3 examples/mark.py"]','exited',0,NULL,0.77570247699999994583,1,10.0,0.0089090000000000002522,5505024,6,0,replace('two\n','\n',char(10)),NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(2,1,'done','2026-11-27T23:27:37Z','["sh","-c","echo one; python3 examples/mark.py"]','exited',0,NULL,0.6099622369999999627,1,10.0,0.0080509999999999991293,5758976,6,0,replace('one\n','\n',char(10)),NULL,NULL,NULL,NULL,NULL,NULL);
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
    label           TEXT,                -- which piece of hardware; NULL: the name says it
    still_most_s    REAL NOT NULL DEFAULT 0, -- 0: it may stand still
    averaging_s     REAL NOT NULL DEFAULT 0, -- 0: of the moment
    apart           INTEGER NOT NULL DEFAULT 0, -- 1: never in a total
    twin            INTEGER NOT NULL DEFAULT 0, -- 1: the quantity of part_of by another way
    idle_w          REAL,                -- NULL: the baseline doesn't know it
    idle_uncertainty_w REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO channel VALUES(1,0,'rapl-perf','psys',NULL,'platform','counter',1.0,0.0,0.0010000000000000000208,20000.0,0.10000000000000000555,'taken as 10 %: depends on the board''s own sensors; no published validation',NULL,3.0,0.0,0,0,NULL,NULL);
INSERT INTO channel VALUES(1,1,'cpu-model','cpu',NULL,'cpu','model',1.0000000000000000622e-09,0.0,0.010000000000000000208,0.0,0.69999999999999995559,'estimate from load and 14.2 W for this virtual machine''s share of a processor',NULL,0.0,0.0,0,0,NULL,NULL);
INSERT INTO channel VALUES(1,2,'dram-model','dram',NULL,'dram','model',1.0000000000000000622e-09,0.0,0.0,0.0,0.59999999999999997779,'estimate from 23.5 GiB of memory at 0.37 W/GiB',NULL,0.0,0.0,0,0,NULL,NULL);
INSERT INTO channel VALUES(2,0,'rapl-perf','psys',NULL,'platform','counter',1.0,0.0,0.0010000000000000000208,20000.0,0.10000000000000000555,'taken as 10 %: depends on the board''s own sensors; no published validation',NULL,3.0,0.0,0,0,NULL,NULL);
INSERT INTO channel VALUES(2,1,'cpu-model','cpu',NULL,'cpu','model',1.0000000000000000622e-09,0.0,0.010000000000000000208,0.0,0.69999999999999995559,'estimate from load and 14.2 W for this virtual machine''s share of a processor',NULL,0.0,0.0,0,0,NULL,NULL);
INSERT INTO channel VALUES(2,2,'dram-model','dram',NULL,'dram','model',1.0000000000000000622e-09,0.0,0.0,0.0,0.59999999999999997779,'estimate from 23.5 GiB of memory at 0.37 W/GiB',NULL,0.0,0.0,0,0,NULL,NULL);
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
    software_above_idle_j  REAL,
    software_above_idle_uncertainty_j REAL,
    PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO "window" VALUES(1,0,'run',0,-1,0.0,0.77570247699999994583,1,14.443817916775984144,9.435198014457402138,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(1,1,'epoch',1,0,0.37414525599999998162,0.16393477000000006293,1,3.0380143740691432086,1.9845948199412029033,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(1,2,'epoch',2,0,0.53835272899999997431,0.106149166000000017,1,1.9672130559674858574,1.2857615286284755917,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(1,3,'epoch',3,0,0.64471013600000004473,0.1057434839999999987,1,1.9596250611666716778,1.2808035814100011684,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(2,0,'run',0,-1,0.0,0.6099622369999999627,1,11.314499851470642965,7.3890693056514029635,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(2,1,'epoch',1,0,0.23259143700000001198,0.12975289200000000855,1,2.4045987766752405789,1.5711448832740062542,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(2,2,'epoch',2,0,0.3629064739999999789,0.09644131100000002954,1,1.7872439670434534519,1.1677176838564471417,1,NULL,NULL,NULL,NULL);
INSERT INTO "window" VALUES(2,3,'epoch',3,0,0.4599101859999999986,0.13005536600000000557,1,2.4101892012207946081,1.5743388923163892378,1,NULL,NULL,NULL,NULL);
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
INSERT INTO energy VALUES(1,0,1,7.687450284307975501,5.3813773764604206917,0.0);
INSERT INTO energy VALUES(1,0,2,6.7563676324680077556,4.0538206379969814463,0.0);
INSERT INTO energy VALUES(1,1,1,1.610138202671106633,1.1278413524558392744,0.0);
INSERT INTO energy VALUES(1,1,2,1.4278761713980365755,0.85675346748536362895,0.0);
INSERT INTO energy VALUES(1,2,1,1.0426540353419539997,0.73099240422324485155,0.0);
INSERT INTO energy VALUES(1,2,2,0.92455902062553185771,0.55476912440523074021,0.0);
INSERT INTO energy VALUES(1,3,1,1.0385981120372189678,0.72815571093051090212,0.0);
INSERT INTO energy VALUES(1,3,2,0.92102694912945270999,0.5526478704794901553,0.0);
INSERT INTO energy VALUES(2,0,1,6.0017308436724388087,4.2014073295552476494,0.0);
INSERT INTO energy VALUES(2,0,2,5.312769007798203269,3.187661976096155314,0.0);
INSERT INTO energy VALUES(2,1,1,1.2744487114918969794,0.89303347477658978625,0.0);
INSERT INTO energy VALUES(2,1,2,1.1301500651833435995,0.67811140849741635694,0.0);
INSERT INTO energy VALUES(2,2,1,0.94723804167049818758,0.6637055170968256812,0.0);
INSERT INTO energy VALUES(2,2,2,0.8400059253729552644,0.50401216675962157154,0.0);
INSERT INTO energy VALUES(2,3,1,1.2774051346366128711,0.89465604881925031577,0.0);
INSERT INTO energy VALUES(2,3,2,1.1327840665841817369,0.67968284349713903313,0.0);
CREATE TABLE metric (
    run    INTEGER NOT NULL,
    window INTEGER NOT NULL,
    name   TEXT NOT NULL,
    value  REAL NOT NULL,
    PRIMARY KEY (run, window, name),
    FOREIGN KEY (run, window) REFERENCES window ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO metric VALUES(1,1,'accuracy',0.64018183192837530004);
INSERT INTO metric VALUES(1,1,'loss',0.71963633614324939991);
INSERT INTO metric VALUES(1,2,'accuracy',0.665181806928399455);
INSERT INTO metric VALUES(1,2,'loss',0.66963638614320120101);
INSERT INTO metric VALUES(1,3,'accuracy',0.67768178192844952256);
INSERT INTO metric VALUES(1,3,'loss',0.64463643614310084384);
INSERT INTO metric VALUES(2,1,'accuracy',0.64018183192837530004);
INSERT INTO metric VALUES(2,1,'loss',0.71963633614324939991);
INSERT INTO metric VALUES(2,2,'accuracy',0.665181806928399455);
INSERT INTO metric VALUES(2,2,'loss',0.66963638614320120101);
INSERT INTO metric VALUES(2,3,'accuracy',0.67768178192844952256);
INSERT INTO metric VALUES(2,3,'loss',0.64463643614310084384);
CREATE TABLE gap (
    run     INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    start_s REAL NOT NULL,
    wall_s  REAL NOT NULL,
    reason  TEXT NOT NULL,
    FOREIGN KEY (run, channel) REFERENCES channel ON DELETE CASCADE
) STRICT;
INSERT INTO gap VALUES(1,0,-0.00031536900000000002257,0.77614246899999994599,'counter stands still');
INSERT INTO gap VALUES(2,0,-0.00031551799999999998336,0.61038369699999994733,'counter stands still');
CREATE TABLE note (
    run  INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;
INSERT INTO note VALUES(1,'cpu-model: estimate from load and 14.2 W for this virtual machine''s share of a processor');
INSERT INTO note VALUES(1,'dram-model: estimate from 23.5 GiB of memory at 0.37 W/GiB');
INSERT INTO note VALUES(1,'not measured: hwmon: /sys/class/hwmon: No such file or directory (3 more can''t be used: `joulery meters` says why)');
INSERT INTO note VALUES(1,'this is a container in a virtual machine (kvm), and the processors'' counters are its host''s: `joulery meters` says what that would have to share');
INSERT INTO note VALUES(2,'cpu-model: estimate from load and 14.2 W for this virtual machine''s share of a processor');
INSERT INTO note VALUES(2,'dram-model: estimate from 23.5 GiB of memory at 0.37 W/GiB');
INSERT INTO note VALUES(2,'not measured: hwmon: /sys/class/hwmon: No such file or directory (3 more can''t be used: `joulery meters` says why)');
INSERT INTO note VALUES(2,'this is a container in a virtual machine (kvm), and the processors'' counters are its host''s: `joulery meters` says what that would have to share');
CREATE TABLE trace (                     -- blocks of a power trace, store/trace.c has the format
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    samples  INTEGER NOT NULL,
    block    BLOB NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT;
INSERT INTO trace VALUES(1,0,16,X'015a000000789c63628200462860b06760606004e2dd8c609af1d32c1e658ddfbdcc8766b1b5f632739fffc33a69160f9bc2d34ee65793d95abb98e577ff66fd76818b89010ce6bce4999e65c8c7cd22200f00e03914f6');
INSERT INTO trace VALUES(2,0,12,X'014b000000789c6364040126306058ccc80002de20aa6d364f9f437f23e3cb56960f3359de75b1f42ce03920f9dde9f30296159359764c64f9d5c733594035ca9af9db052e2690360072ed14bd');
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
       run.command, run.output_tail, host.name AS host, w.software_above_idle_j,
       w.software_above_idle_uncertainty_j, run.attributed_j, run.attributed_uncertainty_j
  FROM run
  JOIN plan USING (position)
  LEFT JOIN window w ON w.run = run.id AND w.ordinal = 0
  LEFT JOIN host ON host.id = run.host
;
CREATE VIEW energies AS
SELECT e.run, w.name AS window, w."index", c.meter, c.name AS channel, c.part_of, c.scope, c.kind,
       e.energy_j, e.uncertainty_j, e.gap_s, w.wall_s, c.label, c.apart
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
