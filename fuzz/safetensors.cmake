joulery_fuzz(safetensors USES joulery_weights)
