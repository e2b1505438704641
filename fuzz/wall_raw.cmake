joulery_fuzz(wall_raw USES joulery_meter)
