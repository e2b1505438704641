joulery_fuzz(csv USES joulery_base)
