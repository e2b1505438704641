joulery_fuzz(curves USES joulery_exchange)
