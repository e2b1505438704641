joulery_fuzz(surroundings USES joulery_meter)
