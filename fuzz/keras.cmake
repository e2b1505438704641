joulery_fuzz(keras USES joulery_weights)
