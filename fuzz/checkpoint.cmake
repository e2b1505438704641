joulery_fuzz(checkpoint USES joulery_train)
