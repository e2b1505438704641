joulery_fuzz(profile USES joulery_carbon)
