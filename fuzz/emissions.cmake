joulery_fuzz(emissions USES joulery_exchange)
