joulery_fuzz(wall_site USES joulery_meter)
