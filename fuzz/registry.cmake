joulery_fuzz(registry USES joulery_record)
