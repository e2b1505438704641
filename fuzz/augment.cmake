joulery_fuzz(augment USES joulery_dataset m)
