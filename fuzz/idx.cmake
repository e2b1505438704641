joulery_fuzz(idx USES joulery_dataset)
