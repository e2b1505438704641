joulery_fuzz(wall_answer USES joulery_meter)
