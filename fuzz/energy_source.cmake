joulery_fuzz(energy_source USES joulery_report)
