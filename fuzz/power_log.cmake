joulery_fuzz(power_log USES joulery_exchange)
