-- The views are a promise: docs/json.md. A new version may add columns at their ends.

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
       w.software_above_idle_uncertainty_j, run.attributed_j, run.attributed_uncertainty_j, run.source
  FROM run
  JOIN plan USING (position)
  LEFT JOIN window w ON w.run = run.id AND w.ordinal = 0
  LEFT JOIN host ON host.id = run.host;

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
