joulery_fuzz(rapl USES joulery_meter)
