joulery_fuzz(best_start USES joulery_carbon)
