joulery_fuzz(process USES joulery_base)
