joulery_fuzz(study USES joulery_study)
