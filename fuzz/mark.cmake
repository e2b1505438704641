joulery_fuzz(mark USES joulery_mark)
