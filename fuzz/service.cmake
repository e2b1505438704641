joulery_fuzz(service USES joulery_carbon)
