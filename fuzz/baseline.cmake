joulery_fuzz(baseline USES joulery_record)
