joulery_fuzz(image USES joulery_dataset)
