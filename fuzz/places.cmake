joulery_fuzz(places USES joulery_carbon)
