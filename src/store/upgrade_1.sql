-- From version 1 to version 2; the views are made anew afterwards.

DROP VIEW runs;
DROP VIEW energies;
DROP VIEW epochs;
ALTER TABLE run ADD COLUMN baseline TEXT;
ALTER TABLE run ADD COLUMN command_cpu_s REAL;
ALTER TABLE run ADD COLUMN machine_cpu_s REAL;
ALTER TABLE run ADD COLUMN attributed_j REAL;
ALTER TABLE run ADD COLUMN attributed_uncertainty_j REAL;
ALTER TABLE run ADD COLUMN attribution_basis TEXT;
ALTER TABLE channel ADD COLUMN label TEXT;
ALTER TABLE channel ADD COLUMN still_most_s REAL NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN averaging_s REAL NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN twin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN idle_w REAL;
ALTER TABLE channel ADD COLUMN idle_uncertainty_w REAL;
ALTER TABLE window ADD COLUMN software_above_idle_j REAL;
ALTER TABLE window ADD COLUMN software_above_idle_uncertainty_j REAL;
