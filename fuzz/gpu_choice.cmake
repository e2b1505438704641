joulery_fuzz(gpu_choice USES joulery_meter)
