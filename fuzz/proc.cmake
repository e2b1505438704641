joulery_fuzz(proc USES joulery_meter)
