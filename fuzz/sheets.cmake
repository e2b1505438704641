joulery_fuzz(sheets USES joulery_record)
