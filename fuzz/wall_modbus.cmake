joulery_fuzz(wall_modbus USES joulery_meter)
