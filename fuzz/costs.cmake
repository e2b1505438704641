joulery_fuzz(costs USES joulery_report)
